"""Which connections go when there are more than a worker takes on, and which stay whatever comes."""

import contextlib
import http.client
import json
import socket
import time

import pytest

from server.http.connections import Connections
from server.http.limits import ConnectionLimits
from server.http.listeners import Listener
from tests.server.live_app import serving

ASK = b"POST /length HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\n"
BODY = b"1234"
FULL = 4


@pytest.fixture(params=["uvloop", "asyncio"])
def connect(request):
    """Make a connection to a server that takes on four."""
    connections = Connections(ConnectionLimits(FULL, head_seconds=60, body_seconds=60))
    with serving(request.param, keep_alive=60, connections=connections) as port, contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))


def answer(connection):
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response.status, json.loads(response.read())


def ask(connection):
    connection.sendall(ASK + BODY)
    return answer(connection)[0]


def begin(connection):
    """Have a request under way, of which the server knows: it asks for the body."""
    connection.sendall(ASK.replace(b"Host: test", b"Host: test\r\nExpect: 100-continue"))
    assert connection.recv(65_536).startswith(b"HTTP/1.1 100 ")


def is_closed(connection):
    """Whether it is by the time that a later one has been answered."""
    connection.settimeout(0)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    finally:
        connection.settimeout(60)


@pytest.mark.parametrize("beginning", [b"", b"\r\n", b"P"], ids=repr)
def test_silence_keeps_nobody_out(connect, beginning):
    """Nor does a head that does not go on."""
    silent = []
    for _ in range(5):
        for _ in range(FULL - 1):
            silent.append(connect())
            silent[-1].sendall(beginning)
        assert ask(connect()) == 200
    assert [is_closed(each) for each in silent] == [True] * 4 * (FULL - 1) + [False] * (FULL - 1)


def test_it_is_the_one_idle_longest_that_goes(connect):
    client, second, third, last = (connect() for _ in range(FULL))
    assert [ask(each) for each in (client, second, third, last, client)] == [200] * 5
    assert ask(connect()) == 200
    assert is_closed(second)
    assert not any(is_closed(each) for each in (client, third, last))
    for _ in range(3):
        assert ask(connect()) == 200
        assert ask(last) == 200
    assert is_closed(client)
    assert not is_closed(last)


def test_who_asks_all_the_time_keeps_its_connection(connect):
    client = connect()
    for _ in range(50):
        assert ask(client) == 200
        connect()
    assert ask(client) == 200


def test_what_is_under_way_stays_whatever_comes(connect):
    busy = [connect() for _ in range(FULL - 1)]
    for connection in busy:
        begin(connection)
    silent = connect()
    for _ in range(10):
        assert ask(connect()) == 200
    assert is_closed(silent)
    for connection in busy:
        connection.sendall(BODY)
        assert answer(connection) == (200, {"length": 4})


def test_where_all_are_busy_a_new_one_is_turned_away(connect):
    busy = [connect() for _ in range(FULL)]
    for connection in busy:
        begin(connection)
    for _ in range(3):
        status, problem = answer(connect())
        assert (status, problem["type"]) == (503, "/problems/too-many-connections")
    for connection in busy:
        connection.sendall(BODY)
        assert answer(connection) == (200, {"length": 4})
    assert ask(connect()) == 200


def test_a_request_that_nobody_has_looked_at_yet_is_under_way():
    connections, (ours, theirs) = Connections(ConnectionLimits(1)), socket.socketpair()
    with ours, theirs:
        first = Fake(ours)
        assert connections.take(first)
        theirs.sendall(b"P")
        assert not connections.take(Fake(ours))
        ours.recv(1)
        assert connections.take(Fake(ours))
        assert first.aborted


def test_an_answer_that_is_not_taken_yet_is_under_way():
    connections, (ours, theirs) = Connections(ConnectionLimits(1)), socket.socketpair()
    with ours, theirs:
        first = Fake(ours)
        first.unsent = 1
        assert connections.take(first)
        assert not connections.take(Fake(ours))
        first.unsent = 0
        assert connections.take(Fake(ours))
        assert first.aborted


def test_those_of_operators_do_not_count():
    connections = Connections(ConnectionLimits(1), Listener("127.0.0.1:9090"))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        held = [Fake(ours, 9090) for _ in range(5)]
        assert all(connections.take(each) for each in held)
        first = Fake(ours)
        assert connections.take(first)
        connections.work(first)
        assert not connections.take(Fake(ours))
        assert connections.take(Fake(ours, 9090))
        assert not any(each.aborted for each in held)


class Fake:
    """A connection, and its own transport."""

    def __init__(self, ours, port=8000):
        self.server, self.transport = ("127.0.0.1", port), self
        self.ours, self.unsent, self.aborted = ours, 0, False

    def get_write_buffer_size(self):
        return self.unsent

    def is_closing(self):
        return False

    def get_extra_info(self, _name):
        return self.ours

    def abort(self):
        self.aborted = True


def test_a_first_request_has_to_begin_as_soon_as_a_head_has_to_come():
    connections = Connections(ConnectionLimits(head_seconds=0.5))
    with serving(keep_alive=1000, connections=connections) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as silent:
            assert silent.recv(1) == b""
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            assert ask(client) == 200
            time.sleep(1)
            assert ask(client) == 200
