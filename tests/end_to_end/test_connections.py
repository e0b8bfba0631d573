"""Connections as clients, proxies and strangers make them, each is answered, none holds anything."""

import contextlib
import json
import socket
import time

import httpx
import pytest

from loadtest.harness.processes import PATIENCE, wait_until
from tests.end_to_end.by_hand import HEAD, chunked, connected, read_answer, read_to_the_end, with_length
from tests.end_to_end.conftest import running
from tests.samples import CLIPS

NAMASTE = next(path for path in CLIPS if path.stem == "namaste")
AUDIO = NAMASTE.read_bytes()


@pytest.fixture(scope="module")
def impatient(model_directory, tmp_path_factory):
    """A server that waits a second for what others wait longer for."""
    settings = {
        "ASR_HEAD_SECONDS": "1",
        "ASR_BODY_SECONDS": "1",
        "ASR_KEEPALIVE_SECONDS": "1",
        "ASR_MAX_CONNECTIONS": "8",
    }
    with running(model_directory, tmp_path_factory.mktemp("impatient"), settings) as server:
        yield server


@pytest.mark.parametrize("framed", [with_length, chunked])
def test_an_upgrade_that_is_not_taken(server, library_texts, framed):
    """Java's HttpClient asks for HTTP/2 with every first request (uvicorn #2722)."""
    java = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    with connected(server) as connection:
        for upgrade in (java, b"", java):
            connection.sendall(HEAD + upgrade + framed(AUDIO))
            status, headers, content = read_answer(connection)
            assert (status, json.loads(content).get("text")) == (200, library_texts[NAMASTE])
            assert "close" not in headers.get("connection", "")


def test_a_websocket_that_is_not_taken(server):
    with connected(server) as connection:
        connection.sendall(
            b"GET /healthz HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert read_answer(connection)[0] == 200


def test_a_client_that_closes_its_side_is_answered(server, library_texts):
    with connected(server) as connection:
        connection.sendall(HEAD + with_length(AUDIO))
        connection.shutdown(socket.SHUT_WR)
        status, headers, content = read_answer(connection)
        assert (status, json.loads(content)["text"]) == (200, library_texts[NAMASTE])
        assert headers["connection"] == "close"
        assert connection.recv(1) == b""


@pytest.mark.parametrize(
    "headers",
    [
        b"".join(b"X-%d: 1\r\n" % number for number in range(20_000)),
        b"".join(b"X-%d: 1\r\n" % number for number in range(100)),
        b"X: " + b"1" * 33_000 + b"\r\n",
        b"X: " + b"1" * 2_000_000,
    ],
    ids=["20,000", "101", "long", "endless"],
)
def test_a_head_that_is_too_large(server, headers):
    """The client sends all of it before it looks for an answer."""
    with connected(server) as connection:
        connection.sendall(HEAD + headers + b"\r\n")
        status, headers, content = read_answer(connection)
        assert (status, json.loads(content)["type"]) == (431, "/problems/head-too-large")
        assert headers["connection"] == "close"
        assert headers["x-request-id"] == json.loads(content)["request_id"]


def test_a_head_that_is_just_not_too_large(server):
    headers = b"".join(b"X-%d: %b\r\n" % (number, b"1" * 300) for number in range(98))
    with connected(server) as connection:
        connection.sendall(HEAD + headers + with_length(AUDIO))
        assert read_answer(connection)[0] == 200


@pytest.mark.parametrize("beginning", [b"", b"\r\n", b"P", HEAD, HEAD + b"X: "], ids=repr)
def test_a_head_that_does_not_come(impatient, beginning):
    with connected(impatient) as connection:
        connection.sendall(beginning)
        received = read_to_the_end(connection)
        assert not received or received.startswith(b"HTTP/1.1 408 ")
        assert bool(received) == (beginning.startswith(b"P"))


def test_a_head_that_drips(impatient):
    with connected(impatient) as connection:
        connection.settimeout(0.2)
        give_up = time.monotonic() + PATIENCE
        received = b""
        connection.sendall(b"GET /")
        while not received and time.monotonic() < give_up:
            connection.sendall(b"X")
            with contextlib.suppress(TimeoutError):
                received = connection.recv(65_536)
        assert received.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 100000\r\n\r\n--B", b"Transfer-Encoding: chunked\r\n\r\n3\r\n--B"]
)
@pytest.mark.parametrize("media_type", [b"audio/wav", b"multipart/form-data; boundary=B"])
def test_a_body_that_does_not_come(impatient, framing, media_type):
    with connected(impatient) as connection:
        connection.sendall(HEAD + b"Content-Type: " + media_type + b"\r\n" + framing)
        status, headers, content = read_answer(connection)
        assert (status, json.loads(content)["type"]) == (408, "/problems/body-too-slow")
        assert headers["connection"] == "close"


def test_a_body_that_drips(impatient):
    with connected(impatient) as connection:
        connection.sendall(HEAD + b"Content-Length: 100000\r\n\r\n")
        connection.settimeout(0.1)
        give_up = time.monotonic() + PATIENCE
        received = b""
        while not received and time.monotonic() < give_up:
            connection.sendall(b"12")
            with contextlib.suppress(TimeoutError):
                received = connection.recv(65_536)
        assert received.startswith(b"HTTP/1.1 408 ")


def test_answers_that_are_not_taken(impatient):
    with connected(impatient) as connection:

        def cut_off():
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n")
            return impatient.logged("cut off: its answer is not taken")

        (line,) = wait_until(cut_off, "cut off")
        assert line["peer"] == "127.0.0.1"


def test_a_fast_beginning_earns_no_long_silence(impatient):
    with connected(impatient) as connection:
        connection.sendall(HEAD + b"Content-Length: 2000000\r\n\r\n" + bytes(1_900_000))
        assert read_answer(connection)[0] == 408


def test_a_quiet_connection_is_closed_by_the_setting(impatient):
    with connected(impatient) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n")
        assert read_answer(connection)[0] == 200
        assert connection.recv(1) == b""


def test_more_connections_than_are_taken(impatient):
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(connected(impatient)) for _ in range(8)]
        for connection in held:
            connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n")
        refused = stack.enter_context(connected(impatient))
        status, _, content = read_answer(refused)
        assert (status, json.loads(content)["type"]) == (503, "/problems/too-many-connections")
    give_up = time.monotonic() + PATIENCE
    while (status := impatient.post(AUDIO).status_code) == 503:
        assert time.monotonic() < give_up
    assert status == 200


def test_silent_connections_keep_nobody_out(impatient):
    cut = impatient.metric("asr_connections_cut_total")
    with contextlib.ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(connected(impatient))
        assert impatient.post(AUDIO).status_code == 200
        assert impatient.metric("asr_connections_cut_total") >= cut + 22
        assert 1 <= impatient.metric("asr_connections") <= 8


def test_operators_get_through_while_others_fill_the_server(start, tmp_path):
    path = tmp_path / "management.sock"
    with (
        start(ASR_MAX_CONNECTIONS=8, ASR_LANES=1, ASR_MANAGEMENT_BIND=f"unix:{path}") as server,
        httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://operators") as management,
        contextlib.ExitStack() as stack,
    ):
        for _ in range(8):
            stack.enter_context(connected(server)).sendall(HEAD + b"Content-Length: 100\r\n\r\n")
        with server.client() as client:
            assert client.get("/healthz").status_code == 503
        for asked in ("/healthz", "/metrics"):
            assert management.get(asked).status_code == 200


def test_thousands_of_requests_at_once(server):
    """Those before the limit are answered, in order; then the connection ends."""
    with connected(server) as connection:
        requests = [b"GET /healthz HTTP/1.1\r\nX-Request-ID: %d\r\n\r\n" % number for number in range(5000)]
        connection.sendall(b"".join(requests))
        received = read_to_the_end(connection)
    ids = [int(line.split()[1]) for line in received.splitlines() if line.startswith(b"x-request-id:")]
    assert ids == list(range(len(ids)))
    assert 30 <= len(ids) < 100
    assert received.count(b"connection: close") == 1


def test_a_slash_too_many_is_no_redirect(server):
    with server.client() as client:
        reply = client.post("/transcribe/", content=AUDIO)
        assert (reply.status_code, reply.json()["type"]) == (404, "/problems/not-found")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "GET", "PUT"])
def test_other_methods_keep_the_connection(server, method):
    with server.client() as client:
        for _ in range(2):
            reply = client.request(method, "/transcribe")
            assert reply.status_code == 405
            assert reply.headers["allow"] == "POST"
            assert (reply.content == b"") == (method == "HEAD")


@pytest.mark.parametrize("line", [b"OPTIONS * HTTP/1.1", b"CONNECT test:80 HTTP/1.1", b"CONNECT /x HTTP/1.1", b"hello"])
def test_what_is_no_request_for_this_server(server, line):
    with connected(server) as connection:
        connection.sendall(line + b"\r\nHost: test\r\n\r\n")
        assert 400 <= read_answer(connection)[0] < 500
    assert server.post(AUDIO).status_code == 200
