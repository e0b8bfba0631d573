"""How a connection ends: a client that has closed its own side only is answered, and we close our side first.

Closing both at once would send a reset to a client that still sends, which may overtake its answer (RFC 9112, 9.6).
A client that takes nothing of what waits for it is cut off, since neither a send nor a close would end otherwise.
HTTP/1.0 knows no chunks: there it is the end of the connection that ends an answer which does not say its length.
"""

import asyncio
import fcntl
import select
import socket
import sys
import termios
from typing import Any, Protocol

from loguru import logger
from starlette.types import Message
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

REST_SECONDS = 30.0
"""For the rest of a body that has been answered."""
QUIET_SECONDS = 1.0
"""For a request that is on its way, and for the client to close too."""
_REST_BYTES_PER_SECOND = 4 * 2**20  # of a body that nobody reads: as fast as it comes, it would take much of a core
_FIRST_LOOK = 0.005
_BYTES_ACKED = slice(120, 128)  # of the kernel's `struct tcp_info`


class Connection(Protocol):
    """What a transport has to know of its connection."""

    in_body: bool
    """Whether a client is in the middle of a body."""
    client: tuple[str, int] | None
    flow: FlowControl
    loop: asyncio.AbstractEventLoop


class ClosesOurSideFirst:
    """A transport that closes when the client has closed too, or has had time to see the end."""

    def __init__(self, transport: asyncio.Transport, connection: Connection, patience: float) -> None:
        """`patience`: seconds without a byte that the client takes, where some wait for it."""
        self._transport = transport
        self._connection = connection
        self._patience = patience
        self._closing = False
        self._look: asyncio.TimerHandle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether it takes nothing more to write."""
        return self._closing or self._transport.is_closing()

    def drop(self, size: int) -> None:
        """Take no notice of bytes that came after the answer, and no more of them than is good for others."""
        if not self._transport.is_closing():
            self._transport.pause_reading()
            self._connection.loop.call_later(size / _REST_BYTES_PER_SECOND, self._go_on)

    def _go_on(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def watch(self) -> None:
        """See to it that the client takes what waits for it here; one that is slow has as long as it needs."""
        if self._look is None:
            self._watch(None)

    def lost(self) -> None:
        """Watch no longer."""
        if self._look:
            self._look.cancel()

    def _watch(self, taken_before: tuple[int, bytes] | None) -> None:
        self._look = None
        if not self._transport.get_write_buffer_size():
            return
        taken = _taken(self._transport)
        if taken == taken_before:
            client = self._connection.client
            logger.bind(peer=client and client[0]).info("cut off: its answer is not taken")
            self._transport.abort()
        else:
            self._look = self._connection.loop.call_later(self._patience, self._watch, taken)

    def close(self) -> None:
        """Send the end, drop what still comes."""
        if not self.is_closing():
            self._closing = True
            seconds = REST_SECONDS if self._connection.in_body else QUIET_SECONDS
            if self._transport.can_write_eof():
                self._transport.write_eof()
            elif not self._connection.in_body:
                seconds = 0.0  # TLS can end both sides only, and its client may wait for the end
            self._connection.flow.resume_reading()
            self._connection.loop.call_later(seconds, self._transport.close)
            self.watch()


def _taken(transport: asyncio.Transport) -> tuple[int, bytes]:
    """Return what differs as soon as the client has taken something.

    The kernel has megabytes of its own to send, and wants more of the transport only once much of them has gone; and of
    TLS the transport knows what it has encrypted, not what of that was sent.
    """
    waiting, connection = transport.get_write_buffer_size(), transport.get_extra_info("socket")
    if sys.platform != "linux":
        return waiting, b""
    if connection.family == socket.AF_UNIX:
        return waiting, fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
    return waiting, connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED.stop)[_BYTES_ACKED]


def answer_half_closed(transport: asyncio.Transport, cycle: RequestResponseCycle, *, first: bool) -> None:
    """Let the request of a client be the last that has closed its side; abort where it has closed both.

    One that has gone answers with a reset to whatever it is sent. `first` where nothing is before this request's
    answer: then an interim response is sent, which any client passes over.
    """
    cycle.keep_alive = False
    if first and not cycle.response_started:
        transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    _watch(transport, cycle, _FIRST_LOOK)


def answer_without_chunks(cycle: RequestResponseCycle) -> None:
    """Let an answer that does not say its length end with its connection."""
    send, unframed = cycle.send, False

    async def send_unframed(message: Message) -> None:
        nonlocal unframed
        if message["type"] == "http.response.start":
            unframed = all(name.lower() != b"content-length" for name, _ in message["headers"])
            cycle.chunked_encoding = False if unframed else None
        elif unframed:
            cycle.expected_content_length = len(message.get("body", b""))  # which Uvicorn looks at
        await send(message)  # type: ignore[arg-type]

    cycle.send = send_unframed  # type: ignore[method-assign, assignment]


def _watch(transport: asyncio.Transport, cycle: RequestResponseCycle, pause: float) -> None:
    """Wait for the reset."""
    if cycle.response_started or transport.is_closing():
        return
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), 0)
    if poll.poll(0):
        transport.abort()
    else:
        asyncio.get_running_loop().call_later(pause, _watch, transport, cycle, min(2 * pause, QUIET_SECONDS))
