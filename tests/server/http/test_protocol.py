"""Bodies that nobody asks for: every client gets its answer, and keeps its connection."""

import contextlib
import http.client
import json
import re
import socket
import time

import pytest

from server.http import closing, protocol
from tests.server.live_app import LIMIT, serving

LARGE = bytes(20_000_000)  # more than sockets keep
LENGTH = b"POST /length HTTP/1.1\r\nHost: test\r\n"


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def port(request):
    with serving(request.param) as port:
        yield port


@pytest.fixture(params=["/unread", "/refused"])
def unread(request):
    """Answered without a look at its body: by the application, and by admission."""
    return request.param


@pytest.fixture
def answered(unread):
    """With what status, and the largest body for which it is."""
    return (200, bytes(LIMIT)) if unread == "/unread" else (429, LARGE)


@pytest.fixture
def unread_head(unread):
    return f"POST {unread} HTTP/1.1\r\nHost: test\r\n".encode()


@pytest.fixture
def client(port):
    """One that sends all of its body before it looks for an answer."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as client:
        yield client


@pytest.fixture
def connection(port):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        yield connection


def post(client, path, body, **headers):
    client.request("POST", path, body, headers)
    answer = client.getresponse()
    return answer.status, json.loads(answer.read())


def answers(connection, count):
    """Read until so many answers have come; their bodies are JSON objects without inner ones."""
    received = b""
    while received.count(b"}") < count:
        received += connection.recv(65_536)
    return received


def read_to_the_end(connection):
    received = b""
    while chunk := connection.recv(65_536):
        received += chunk
    return received


def test_one_connection_for_answers_with_and_without_reading(client, unread, answered):
    status, large = answered
    for _ in range(3):
        assert post(client, unread, large)[0] == status
        assert post(client, "/length", b"12345") == (200, {"length": 5})
        assert post(client, "/length", bytes(LIMIT)) == (200, {"length": LIMIT})
        assert post(client, unread, b"1")[0] == status


@pytest.mark.parametrize("path", ["/unread", "/refused", "/length"])
def test_the_last_answer_of_a_connection_is_not_lost(client, path):
    assert post(client, path, LARGE, Connection="close")[0] == {"/unread": 413, "/refused": 429, "/length": 413}[path]


def test_more_than_was_announced_does_not_cost_the_answer(connection, unread_head):
    connection.sendall(unread_head + b"Connection: close\r\nContent-Length: 5\r\n\r\n12345" + bytes(500_000))
    assert read_to_the_end(connection).endswith(b"}")


def test_a_chunked_body_that_is_not_wanted(connection, unread_head):
    connection.sendall(unread_head + b"Transfer-Encoding: chunked\r\n\r\n")
    answers(connection, 1)
    connection.sendall(b"4000\r\n" + bytes(0x4000) + b"\r\n0\r\n\r\n" + unread_head + b"Content-Length: 0\r\n\r\n")
    answers(connection, 1)


@pytest.mark.parametrize("size", [0, 10, 10_000, LIMIT])
def test_requests_sent_in_one_go_are_answered_in_order(connection, size, unread_head):
    body = b"Content-Length: %d\r\n\r\n" % size + bytes(size)
    connection.sendall(unread_head + body + LENGTH + body + unread_head + body)
    length = b'{"length":%d}' % size
    first, second, third = re.findall(rb"{.*?}", answers(connection, 3))
    assert second == length
    assert first != length != third


@pytest.mark.parametrize(("path", "asked_to_go_on"), [("/length", True), ("/unread", False), ("/refused", False)])
def test_a_client_that_asks_first(connection, path, asked_to_go_on):
    connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n".encode())
    first = connection.recv(65_536) if asked_to_go_on else answers(connection, 1)
    assert first.startswith(b"HTTP/1.1 100 ") == asked_to_go_on
    connection.sendall(b"123")
    if asked_to_go_on:
        assert answers(connection, 1).endswith(b'{"length":3}')
    connection.sendall(LENGTH + b"Content-Length: 0\r\n\r\n")
    assert answers(connection, 1).endswith(b'{"length":0}')


@pytest.mark.parametrize("framing", [b"Content-Length: 1000000", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n"])
def test_a_client_that_drips_is_not_borne_for_ever(connection, monkeypatch, framing, more, unread_head):
    for module in (protocol, closing):
        monkeypatch.setattr(module, "REST_SECONDS", 0.5)
    connection.sendall(unread_head + more + framing + b"\r\n\r\n")
    answers(connection, 1)
    end = time.monotonic() + 60
    with pytest.raises(ConnectionError):  # noqa: PT012 - whichever send it is
        while time.monotonic() < end:
            connection.sendall(b"1\r\n1\r\n")
            time.sleep(0.05)


@pytest.mark.parametrize(("version", "body"), [("1.0", b"onetwo"), ("1.1", b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")])
def test_an_answer_in_pieces_has_chunks_where_its_client_knows_them(connection, version, body):
    connection.sendall(f"GET /pieces HTTP/{version}\r\nHost: test\r\nConnection: close\r\n\r\n".encode())
    head, _, received = read_to_the_end(connection).partition(b"\r\n\r\n")
    assert received == body
    assert (b"transfer-encoding" in head) == (version == "1.1")
    assert b"connection: close" in head


def test_http_1_0_gets_the_length_of_an_answer_that_has_one(connection):
    connection.sendall(b"POST /length HTTP/1.0\r\nContent-Length: 3\r\n\r\n123")
    head, _, received = read_to_the_end(connection).partition(b"\r\n\r\n")
    assert b"content-length: 12" in head
    assert received == b'{"length":3}'


def test_a_head_that_is_too_large_is_told_so_before_it_ends(connection):
    """Even where all that comes of it comes at once, and nothing after it."""
    connection.sendall(b"GET /length HTTP/1.1\r\nHost: test\r\nX-Long: " + b"1" * 40_000)
    assert read_to_the_end(connection).startswith(b"HTTP/1.1 431 ")


def test_a_quiet_connection_ends_after_a_body_that_was_not_wanted(connection, unread_head):
    """Uvicorn's own timer is stopped by each byte that comes."""
    connection.sendall(unread_head + b"Content-Length: 4\r\n\r\n")
    answers(connection, 1)
    connection.sendall(b"1234")
    assert read_to_the_end(connection) == b""


@pytest.mark.parametrize(
    ("rest", "status"),
    [(b"ZZ\r\n", 400), (b"5\r\nhello!!", 400), (b"0\r\nX: " + b"1" * 1_000_000, 431)],
    ids=["no length", "longer than it says", "a trailer without end"],
)
@pytest.mark.parametrize("before", [b"", LENGTH + b"Content-Length: 0\r\n\r\n"], ids=["alone", "behind another"])
def test_a_body_that_goes_wrong_is_told_so_at_once(connection, before, rest, status):
    """Where the client would send no more, and would have a minute for it (`live_app`)."""
    connection.sendall(
        before + LENGTH + b"X-Request-ID: mine\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n" + rest
    )
    received = read_to_the_end(connection)
    assert received.startswith(b"HTTP/1.1 %d " % (200 if before else status))
    answer = received[received.rindex(b"HTTP/1.1 ") :]
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert {b"x-request-id: mine", b"connection: close"} <= set(answer.lower().split(b"\r\n"))
