"""A client that takes nothing of its answer is cut off; one that is slow is not."""

import asyncio
import functools
import select
import socket
import ssl
import threading

import pytest
import uvloop

from server.http import closing, protocol
from server.http.limits import ConnectionLimits
from server.http.protocol import HttpProtocol
from tests.samples import DATA
from tests.server import live_app

CERTIFICATE = DATA / "localhost.pem"
LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
LARGE = 30_000_000  # more than sockets keep
SMALL = 40_000  # so little that nobody waits to write more; the sockets here keep less


class Watched(HttpProtocol):
    """Leaves the kernel little to keep, and says when a connection has ended."""

    ended = threading.Event()

    def connection_made(self, transport):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        super().connection_made(transport)

    def connection_lost(self, exc):
        super().connection_lost(exc)
        self.ended.set()


@pytest.fixture(scope="module", params=LOOPS)
def port(request):
    """Of a server that waits a moment for what others wait longer for."""
    empty = live_app.application

    def application(sample):
        app = empty(sample)

        @app.get("/bytes/{size}")
        async def some(size: int):
            return "1" * size

        return app

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live_app, "application", application)
        patch.setattr(protocol, "ConnectionLimits", functools.partial(ConnectionLimits, body_seconds=0.1))
        with live_app.serving(request.param, http=Watched) as port:
            yield port


@pytest.mark.parametrize(
    ("size", "times", "more"),
    [(LARGE, 2, b""), (LARGE, 1, b""), (LARGE, 1, b"Connection: close\r\n"), (SMALL, 1, b"Connection: close\r\n")],
    ids=["the next answer waits", "the quiet connection is closed", "closed at once", "closed with little to send"],
)
def test_a_client_that_takes_nothing(port, size, times, more):
    Watched.ended.clear()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", port))
        connection.sendall(b"GET /bytes/%d HTTP/1.1\r\nHost: test\r\n%b\r\n" % (size, more) * times)
        assert Watched.ended.wait(60)


class Sending(asyncio.Protocol):
    """The server's side of a connection, which is watched by hand."""

    client, in_body, flow = None, False, None

    def connection_made(self, transport):
        self.loop, self.transport = asyncio.get_running_loop(), transport
        self.closing = closing.ClosesOurSideFirst(transport, self, 1e6)
        self.lost = self.loop.create_future()
        transport.write(bytes(LARGE))

    def connection_lost(self, exc):
        self.lost.set_result(exc)


async def connect(kind, directory):
    """Server, its side of a connection, and the client's."""
    loop, made = asyncio.get_running_loop(), []

    def sending():
        made.append(Sending())
        return made[-1]

    if kind == "unix":
        server = await loop.create_unix_server(sending, directory / "socket")
        client = socket.socket(socket.AF_UNIX)
    else:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if kind == "tls" else None
        if context:
            context.load_cert_chain(CERTIFICATE)
        server = await loop.create_server(sending, "127.0.0.1", 0, ssl=context)
        client = socket.socket()
    client.settimeout(60)
    client.connect(server.sockets[0].getsockname())
    if kind == "tls":
        trusting = ssl.create_default_context(cafile=CERTIFICATE)
        client = await asyncio.to_thread(trusting.wrap_socket, client, server_hostname="localhost")
    while not (made and made[0].transport.get_write_buffer_size() and select.select([client], [], [], 0)[0]):
        if kind == "tls":  # it may have passed on what it encrypted: then more is to wait
            made[0].transport.write(bytes(LARGE))
        await asyncio.sleep(0.01)
    return server, made[0], client


async def watch(kind, directory):
    """Look at one that takes little by little, of what the kernel has: the loop stands. Then, when it takes no more."""
    server, sending, client = await connect(kind, directory)
    try:
        for _ in range(3):
            before = closing._taken(sending.transport)
            while closing._taken(sending.transport) == before:
                client.recv(1000)
            sending.closing._watch(before)
            assert not sending.transport.is_closing()
        async with asyncio.timeout(60):
            while not sending.lost.done():
                sending.closing._watch(closing._taken(sending.transport))
                await asyncio.sleep(0.01)
    finally:
        client.close()
        sending.closing.lost()
        server.close()


@pytest.mark.parametrize("kind", ["tcp", "tls", "unix"])
@pytest.mark.parametrize("loop", LOOPS)
def test_a_client_that_is_slow(loop, kind, tmp_path):
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(watch(kind, tmp_path))
