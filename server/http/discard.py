"""A body that nobody wants, taken off the line without being copied out of the kernel."""

import asyncio
import socket
from collections.abc import Callable

_AT_ONCE = 1 << 20
_SINK = bytearray(_AT_ONCE)  # Linux writes nothing into it


class Discard:
    """Takes `left` bytes off a connection whose transport does not read meanwhile, then calls `done`.

    Closing on a client that still sends would reset the connection, and the reset may overtake the answer
    (RFC 9112, 9.6). MSG_TRUNC on a TCP socket drops bytes where they are (tcp(7)); elsewhere they go into a sink.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, left: float, done: Callable[[], None]
    ) -> None:
        """`left` is infinite where everything until the client's end is to be taken."""
        self._loop = loop
        self._left = left
        self._done = done
        # A duplicate, since the event loop lets nobody else watch a transport's own descriptor.
        self._socket = socket.fromfd(transport.get_extra_info("socket").fileno(), socket.AF_INET, socket.SOCK_STREAM)
        self._watched = False

    def start(self) -> None:
        """Begin with what is there; `done` may be called before this returns."""
        self._take()

    def stop(self) -> None:
        """Let go of the connection."""
        if self._watched:
            self._loop.remove_reader(self._socket)
            self._watched = False
        self._socket.close()

    def _take(self) -> None:
        try:
            while self._left:
                taken = self._socket.recv_into(_SINK, int(min(self._left, _AT_ONCE)), socket.MSG_TRUNC)
                self._left = self._left - taken if taken else 0
        except BlockingIOError:
            if not self._watched:
                self._loop.add_reader(self._socket, self._take)
                self._watched = True
            return
        except OSError:
            pass  # the client has gone; whoever reads next will hear of it
        self.stop()
        self._done()
