"""Request ids, the size limit on raw sockets, and the answer to a bug."""

import asyncio
import json
import socket

import httpx
import pytest

from server.http.context import RequestContext
from server.http.under_way import UnderWay
from tests.server.live_app import LIMIT, serving

HEAD = b"POST /length HTTP/1.1\r\nHost: test\r\nContent-Type: audio/wav\r\n"


@pytest.fixture(scope="module")
def port():
    with serving() as port:
        yield port


@pytest.fixture
def client(port):
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        yield client


@pytest.fixture
def connection(port):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        yield connection


def answer(connection):
    """Status line, headers and the problem that the server sends before it closes."""
    received = b""
    while chunk := connection.recv(65_536):
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode().lower(), body


def test_a_body_up_to_the_limit_passes(client):
    assert client.post("/length", content=bytes(LIMIT)).json() == {"length": LIMIT}


def test_one_byte_more_does_not(client):
    reply = client.post("/length", content=bytes(LIMIT + 1))
    assert reply.status_code == 413
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["type"] == "/problems/body-too-large"
    assert "ASR_MAX_UPLOAD_MB" in reply.json()["detail"]
    assert reply.json()["request_id"] == reply.headers["x-request-id"]


def test_an_announced_length_is_refused_before_the_body_is_sent(connection):
    connection.sendall(HEAD + f"Content-Length: {10 * LIMIT}\r\n\r\n".encode())
    status, head, body = answer(connection)
    assert status == 413
    assert "connection: close" in head
    assert json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])["status"] == 413


def test_a_chunked_body_is_refused_before_its_end(connection):
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    chunk = b"4000\r\n" + bytes(0x4000) + b"\r\n"
    for _ in range(LIMIT // 0x4000 + 1):
        connection.sendall(chunk)
    # No last chunk follows: whoever wants to read to the end waits for ever.
    assert answer(connection)[0] == 413


def test_a_length_that_lies_low_is_cut_by_the_protocol(connection):
    connection.sendall(HEAD + b"Connection: close\r\nContent-Length: 5\r\n\r\n12345" + bytes(LIMIT))
    assert answer(connection)[2] == b'{"length":5}'


@pytest.mark.parametrize("length", ["-1", "many", "1e9", "9" * 400])
def test_a_length_that_is_none_does_no_harm(port, client, length):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(HEAD + f"Content-Length: {length}\r\n\r\n".encode())
        connection.shutdown(socket.SHUT_WR)
        received = connection.recv(65_536)
    assert not received or received.split()[1] in {b"400", b"413"}
    assert client.post("/length", content=b"123").json() == {"length": 3}


def test_a_client_that_still_sends_gets_its_answer(client):
    def endless():
        for _ in range(200):
            yield bytes(LIMIT // 10)

    assert client.post("/length", content=endless()).status_code == 413


@pytest.mark.parametrize("offered", ["abc-123", "trace:1.2_3", "x" * 128])
def test_an_acceptable_id_is_kept(client, offered):
    assert client.post("/length", headers={"X-Request-ID": offered}).headers["x-request-id"] == offered


@pytest.mark.parametrize("offered", ["", "x" * 129, "a b", "a{b}", "<script>", "é".encode(), "a\tb"])
def test_any_other_is_replaced(client, offered):
    made = client.post("/length", headers={"X-Request-ID": offered}).headers["x-request-id"]
    assert len(made) == 32
    assert int(made, 16)


def test_every_request_gets_another_id(client):
    ids = {client.post("/length").headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/length", 405)])
def test_no_route_is_a_problem_too(client, method, path, status):
    reply = client.request(method, path)
    assert reply.headers["content-type"] == "application/problem+json"
    assert set(reply.json()) == {"type", "title", "status", "detail", "request_id"}
    assert reply.json()["status"] == reply.status_code == status


def test_a_bug_is_answered_without_its_cause(client):
    reply = client.get("/bug")
    assert reply.status_code == 500
    assert "cause" not in reply.text.replace("has the cause", "")
    assert reply.json()["request_id"] == reply.headers["x-request-id"]
    assert client.post("/length").status_code == 200


def test_a_request_that_is_cancelled_is_answered_before_what_it_needs_ends():
    """As where a worker's grace is over: Uvicorn cancels it, and would not wait until it has let go of its work."""

    async def scene():
        under_way, began, said = UnderWay(), asyncio.Event(), []

        async def app(_scope, _receive, _send):
            try:
                began.set()
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0.1)  # a decoder's end

        async def send(message):
            said.append(message.get("status"))

        scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "state": {}}
        async with under_way.seen_out(60):
            request = asyncio.create_task(RequestContext(app, under_way=under_way)(scope, None, send))
            await began.wait()
            request.cancel()
        return said, request.done()

    said, done = asyncio.run(scene())
    assert said[0] == 503
    assert done
