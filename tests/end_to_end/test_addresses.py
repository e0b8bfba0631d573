"""Where a server can be reached: by TLS, at a Unix socket, by IPv6."""

import contextlib
import http.client
import socket
import ssl

import pytest

from loadtest.harness.processes import PATIENCE, paused, wait_until
from loadtest.harness.server import Reached
from tests.end_to_end.by_hand import HEAD, read_answer, with_length
from tests.end_to_end.conftest import running
from tests.samples import CLIPS, DATA

NAMASTE = next(path for path in CLIPS if path.stem == "namaste")
AUDIO = NAMASTE.read_bytes()
CERTIFICATE = DATA / "localhost.pem"


def clients(server):
    """Whose requests are in the log."""
    return {line["client"] for line in server.logged("request") if line["path"] == "/transcribe"}


def test_tls(model_directory, tmp_path, library_texts):
    """By Gunicorn's own options, for connections that go on and for those that do not."""
    arguments = f"--certfile {CERTIFICATE} --keyfile {CERTIFICATE}"
    context = ssl.create_default_context(cafile=CERTIFICATE)
    settings = {"GUNICORN_CMD_ARGS": arguments, "ASR_MAX_UPLOAD_MB": "1", "ASR_BODY_SECONDS": "60"}
    reached = Reached(url="https://127.0.0.1:{port}", transport={"verify": context})
    with running(model_directory, tmp_path, settings, reached) as server:
        with server.client() as client:
            for headers in ({}, {}, {"Connection": "close"}, {}):
                reply = client.post("/transcribe", content=AUDIO, headers=headers)
                assert reply.json()["text"] == library_texts[NAMASTE]
                assert reply.headers["Strict-Transport-Security"] == "max-age=31536000"
            assert client.post("/transcribe", content=bytes(20_000_000)).status_code == 413
        plain = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=PATIENCE, context=context)
        with contextlib.closing(plain) as connection:  # sends all of a body before it looks for an answer
            connection.request("POST", "/transcribe", bytes(20_000_000), {"Connection": "close"})
            assert connection.getresponse().status == 413
        assert not [line for line in server.log_lines() if line["level"] in {"ERROR", "WARNING"}]


def test_a_unix_socket(model_directory, tmp_path, library_texts):
    path = f"{tmp_path}/asr.sock"
    reached = Reached(url="http://test", transport={"uds": path})
    with running(model_directory, tmp_path, {"ASR_BIND": f"unix:{path}"}, reached) as server:
        with server.client() as client:
            for headers in ({}, {"Connection": "close"}):
                reply = client.post("/transcribe", content=AUDIO, headers=headers)
                assert reply.json()["text"] == library_texts[NAMASTE]
        wait_until(lambda: clients(server) == {"local"}, "the client logged")
        assert any(f"curl --unix-socket {path} " in line["message"] for line in server.log_lines())
        with socket.socket(socket.AF_UNIX) as connection:  # half-closed
            connection.connect(path)
            connection.sendall(HEAD + with_length(AUDIO))
            connection.shutdown(socket.SHUT_WR)
            assert read_answer(connection)[0] == 200
        with paused(*server.lanes()):
            with socket.socket(socket.AF_UNIX) as connection:  # gone
                connection.connect(path)
                connection.sendall(HEAD + with_length(AUDIO))
                server.wait_metric(1, "asr_running_requests")
            server.wait_metric(1, "asr_cancelled_requests_total", place="lane")


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_ipv6(model_directory, tmp_path, library_texts):
    reached = Reached(url="http://[::1]:{port}")
    with running(model_directory, tmp_path, {"ASR_BIND": "[::1]:{port}"}, reached) as server:
        with server.client() as client:
            assert client.post("/transcribe", content=AUDIO).json()["text"] == library_texts[NAMASTE]
        wait_until(lambda: clients(server) == {"::1"}, "the client logged")
