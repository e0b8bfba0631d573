"""The OpenAPI document is true: schemathesis finds nothing that it does not say, and each status in it is reached."""

import json
import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import soundfile

from config.settings import Settings
from loadtest.harness.processes import in_background, paused, wait_until
from server.app import create_app
from server.authentication.key_text import KeyText
from server.principal import Scope
from tests.end_to_end.by_hand import HEAD, connected, read_answer
from tests.end_to_end.conftest import running
from tests.samples import CLIPS, encode

HERE = Path(__file__).parent
SCHEMATHESIS = HERE.parents[1] / ".venv-clients/bin/schemathesis"
EXAMPLES = os.environ.get("EXAMPLES", "25")
MIB = 2**20
CLIP = CLIPS[0].read_bytes()
RECORDING = encode(np.tile(soundfile.read(CLIPS[0])[0], 20)[::2], rate=8_000, subtype="ULAW")
"""So many windows that its decoder waits for the lane."""
PATHS = create_app(Settings()).openapi()["paths"]
POSTS = [path for path, methods in PATHS.items() if "post" in methods]
pytestmark = pytest.mark.measuring


@pytest.fixture(scope="module")
def locked(model_directory, tmp_path_factory):
    """Whoever calls must be known; with what a caller says who may all, and one who may nothing."""
    keys = {name: KeyText.new() for name in ("all", "nothing")}
    kept = {
        text.public_id: {
            "name": name, "sha256": text.digest, "created": "2026-01-01T00:00:00Z",
            "scopes": list(Scope) if name == "all" else [],
        }
        for name, text in keys.items()
    }  # fmt: skip
    with running(model_directory, tmp_path_factory.mktemp("locked"), {"ASR_KEYS": json.dumps(kept)}) as server:
        yield server, *(f"Bearer {text}" for text in keys.values())


@pytest.mark.parametrize("keys", [False, True])
@pytest.mark.skipif(not SCHEMATHESIS.exists(), reason="it has an environment of its own: make schema")
@pytest.mark.timeout(900)
def test_nothing_but_what_the_document_says(server, locked, tmp_path, keys):
    options = ["--max-examples", EXAMPLES, "--seed", "1", "--no-color", "--no-shrink"]
    if keys:
        server, authorization, _ = locked
        options += ["--header", f"Authorization: {authorization}"]
    command = [SCHEMATHESIS, "--config-file", HERE / "schemathesis.toml", "run", f"{server.url}/openapi.json", *options]
    hooks = {"SCHEMATHESIS_HOOKS": str(HERE / "schemathesis_hooks.py")}
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | hooks, capture_output=True, text=True, errors="replace", check=False
    )
    assert done.returncode == 0, f"{done.stdout[:4000]}\n…\n{done.stdout[-1000:]}{done.stderr[-2000:]}"


@pytest.fixture(scope="module")
def tight(model_directory, tmp_path_factory):
    """Whatever is slow or much is refused; bodies over a MiB find no disk."""
    directory = tmp_path_factory.mktemp("tight")
    settings = {
        "ASR_LANES": "1", "ASR_MAX_UPLOAD_MB": "2", "ASR_SPOOL": str(directory / "missing"), "ASR_WINDOW_SECONDS": "5",
        "ASR_HEAD_SECONDS": "1", "ASR_BODY_SECONDS": "3", "ASR_MAX_CONNECTIONS": "8",
    }  # fmt: skip
    with running(model_directory, directory, settings) as server:
        yield server


def sent(server, *pieces):
    """Status and media type of the answer to bytes that end in the middle."""
    with connected(server) as connection:
        for piece in pieces:
            connection.sendall(piece)
        status, headers, _ = read_answer(connection)
    return status, headers["Content-Type"]


def refused_by_the_head(server, head):
    """As any route refuses."""
    yield sent(server, head)
    yield sent(server, head, b"X-Padding: %b\r\n\r\n" % (b"A" * 40_000))
    status = None
    with ExitStack() as held:
        for _ in range(8):  # each with a request under way: idle ones would make room
            held.enter_context(connected(server)).sendall(HEAD + b"Content-Length: 100000\r\n\r\nRIFF")
        for _ in range(100):
            if status == 503:
                break
            connection = held.enter_context(connected(server))
            connection.sendall(head + b"\r\n")
            status, headers, _ = read_answer(connection)
            yield status, headers["Content-Type"]


def answered(server, path):
    """What one gets who asks rightly, or for what is not there."""
    with server.client() as client:
        if path not in POSTS:
            for name in ("hi-demo", "nobody"):
                yield client.get(path.replace("{name}", name))
            return
        parameter = "response_format" if path.startswith("/v1/") else "format"
        for form in ("json", "text", "srt", "vtt"):
            yield client.post(path, params={parameter: form}, content=CLIP)
        yield client.post(path, params={"language": "ta"}, content=CLIP)
        yield client.post(path, headers={"X-Request-Timeout": "0.000001"}, content=CLIP)
        for body in (bytes(3 * MIB), bytes(3 * MIB // 2), b"MThd" + bytes(100), b"no audio at all"):
            yield client.post(path, content=body)


def broken(server, path):
    """What one gets when a lane does not go on, or a decoder dies."""
    with server.client() as client:
        server.wait_metric(1, "asr_lanes", state="ready")
        (lane,) = server.lanes()
        with paused(lane):
            yield client.post(path, headers={"X-Request-Timeout": "2"}, content=CLIP)
            wait_until(lambda: lane not in server.lanes(), "the lane killed")
        server.wait_metric(1, "asr_lanes", state="ready")
        with in_background() as submit:
            with paused(*server.lanes()):
                reply = submit(client.post, path, content=RECORDING)
                wait_until(server.decoders, "a decoder")[0].kill()
            yield reply.result()


def kept_out(server, path, *authorizations):
    """What one gets who is not known, or may not do this."""
    with server.client() as client:
        for headers in ({}, *({"Authorization": each} for each in authorizations)):
            yield client.request("POST" if path in POSTS else "GET", path, headers=headers)


@pytest.mark.parametrize("path", PATHS)
def test_every_status_in_it_is_reached(tight, locked, path):
    method = b"POST" if path in POSTS else b"GET"
    head = b"%b %b HTTP/1.1\r\nHost: test\r\n" % (method, path.encode())
    found = set(refused_by_the_head(tight, head))
    replies = [*answered(tight, path), *kept_out(locked[0], path, *locked[1:])]
    if path in POSTS:
        found.add(sent(tight, head, b"Content-Length: 100000\r\n\r\n"))
        replies += broken(tight, path)
    found |= {(reply.status_code, reply.headers["Content-Type"]) for reply in replies}
    found = {(str(status), media_type.partition(";")[0]) for status, media_type in found}
    documented = PATHS[path][method.decode().lower()]["responses"]
    assert {status for status, _ in found} == set(documented)
    assert [
        (status, media_type) for status, media_type in found if media_type not in documented[status]["content"]
    ] == []
