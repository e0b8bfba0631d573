"""Long bodies: bounded together, stored as they come, and nothing of them left in memory or on the disk."""

import contextlib
import json
from pathlib import Path

import pytest

from inference.types import AudioLimits
from loadtest.harness.processes import wait_until
from tests.end_to_end.by_hand import HEAD, connected, read_answer
from tests.end_to_end.conftest import running
from tests.memory import CAN_BE_TOLD, Taken
from tests.samples import CLIPS, sentence_of

NAMASTE = next(path for path in CLIPS if path.stem == "namaste").read_bytes()
MIB = 1 << 20


@pytest.fixture(scope="module")
def server(model_directory, tmp_path_factory):
    directory = tmp_path_factory.mktemp("uploads")
    (directory / "spool").mkdir()
    settings = {"ASR_MAX_SPOOL_MB": "24", "ASR_MAX_UPLOAD_MB": "24", "ASR_SPOOL": str(directory / "spool")}
    settings |= {"ASR_OVERLENGTH": "clip", "ASR_LANES": "1", "ASR_TRUSTED_PROXIES": "127.0.0.1"}
    with running(model_directory, directory, settings) as server:
        yield server
        assert not list((directory / "spool").iterdir())


@contextlib.contextmanager
def uploading(server, client, size):
    """An upload of which all but the last byte has come, if it was let in."""
    with connected(server) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(HEAD + b"X-Forwarded-For: %b\r\nContent-Length: %d\r\n\r\n" % (client, size))
            connection.sendall(bytes(size - 1))
        yield connection


def stored(server):
    """Bytes of the spool files that the worker has open."""
    (worker,) = server.workers()
    sizes = 0
    for descriptor in Path(f"/proc/{worker.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if "/spool/" in str(descriptor.readlink()):
                sizes += descriptor.stat().st_size
    return sizes


def test_the_bytes_of_all_requests_together_are_bounded(server):
    with uploading(server, b"10.0.0.1", 10 * MIB), uploading(server, b"10.0.0.2", 6 * MIB):
        wait_until(lambda: stored(server) > 14 * MIB, "both stored")
        with uploading(server, b"10.0.0.3", 10 * MIB) as refused:
            status, headers, content = read_answer(refused)
            assert (status, json.loads(content)["type"]) == (429, "/problems/overloaded")
            assert "ASR_MAX_SPOOL_MB" in json.loads(content)["detail"]
            assert int(headers["retry-after"]) >= 1
        with uploading(server, b"10.0.0.1", 4 * MIB) as refused:  # who has most gets no more than is left for others
            assert read_answer(refused)[0] == 429
        assert server.post(NAMASTE).status_code == 200
    wait_until(lambda: server.post(bytes(20 * MIB)).status_code == 422, "all of it free again")
    wait_until(lambda: stored(server) == 0, "nothing stored")


@pytest.mark.skipif(not CAN_BE_TOLD, reason="no /proc here")
@pytest.mark.parametrize("form", [False, True], ids=["raw", "form"])
def test_a_long_body_is_no_matter_of_memory(server, pipeline, form):
    def post(audio):
        body = {"files": {"file": ("long.wav", audio)}} if form else {"content": audio}
        with server.client() as client:
            return client.post("/transcribe", **body).json()

    audio = sentence_of(500)
    assert len(audio) > 15 * MIB
    (worker,) = server.workers()
    post(sentence_of(60))
    taken = Taken(worker.pid)
    reply = post(audio)
    assert (reply["clipped"], reply["duration"]) == (True, 500)
    assert reply["text"] == pipeline.transcribe(audio, AudioLimits("clip")).text
    assert taken.mebibytes < 8


def test_a_disk_that_takes_nothing(model_directory, tmp_path):
    """A body over a MiB is refused with the reason; the others need no disk."""
    spool = tmp_path / "missing"
    with running(model_directory, tmp_path, {"ASR_SPOOL": str(spool)}) as server, server.client() as client:
        for body in ({"content": bytes(3 * MIB)}, {"files": {"file": ("long.wav", bytes(3 * MIB))}}):
            reply = client.post("/transcribe", **body)
            assert (reply.status_code, reply.json()["type"]) == (507, "/problems/insufficient-storage")
            assert "No such file or directory" in reply.json()["detail"]
            assert client.post("/transcribe", content=NAMASTE).status_code == 200
        assert server.metric("asr_http_request_seconds_count", route="/transcribe", outcome="refused") == 2
        (warning,) = [each for each in client.get("/readyz").json()["warnings"] if "cannot be stored" in each]
        assert str(spool) in warning
        spool.mkdir()
        assert warning not in client.get("/readyz").json()["warnings"]
        assert client.post("/transcribe", content=sentence_of(60)).status_code == 200
