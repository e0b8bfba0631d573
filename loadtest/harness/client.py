"""A lean HTTP/1.1 client: it shares the machine with the server that it measures.

One request costs it a small part of what httpx or aiohttp cost, without a task of its own. It knows just what these
servers answer: a status line, headers with a Content-Length, a body.
"""

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self, cast

from loadtest.harness.clips import Clip
from loadtest.harness.outcomes import Outcome, judge

LOST = 0
"""Instead of a status, where no answer came."""
_LENGTH = re.compile(rb"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)
_WAV = {"Content-Type": "audio/wav"}
_CLOSE = re.compile(rb"^connection: *close", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Connecting:
    """How connections are used."""

    most: int = 1_000_000
    """So many at most; other requests wait for one."""
    depth: int = 1
    """Requests under way on one connection at most; more than one is pipelining."""
    keep: bool = True
    """Whether a connection serves more than one request."""
    source: str | None = None
    """The address that requests come from."""


Address = tuple[str, int]
"""Host and port."""
_Done = Callable[[Reply], object]


class Client:
    """Keeps connections alive, and opens as many as are wanted at once. Leaving a `with` block closes them."""

    def __init__(self, address: Address, timeout: float = 60.0, how: Connecting | None = None) -> None:
        """`timeout` is in seconds: a request that takes longer is lost."""
        self._address, self.timeout, self._how = address, timeout, how or Connecting()
        self._free: deque[_Connection] = deque()
        self._waiting: deque[_Request] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self.connections: set[_Connection] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in list(self.connections):
            connection.transport.close()

    async def transcribe(self, clip: Clip, due: float | None = None) -> Outcome:
        """Send one clip as a raw body; a lost request is an outcome too, never an exception."""
        return await self.send(clip, time.perf_counter() if due is None else due)

    def send(self, clip: Clip, due: float) -> asyncio.Future[Outcome]:
        """Do the same without a task, which would cost more than all the rest; `due` is of `time.perf_counter()`."""
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def done(reply: Reply) -> None:
            seconds = time.perf_counter() - due
            kind, detail, processing = judge(reply.status, reply.body, clip.text)
            if not outcome.done():
                outcome.set_result(Outcome(due, seconds, kind, detail, processing))

        self._ask(_Request(self._head("POST", "/transcribe", clip.data, _WAV), clip.data, done))
        return outcome

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> asyncio.Future[Reply]:
        """Send any request. Cancelling the future hangs up, as a client does that has lost its patience."""
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def done(found: Reply) -> None:
            if not reply.done():
                reply.set_result(found)

        request = _Request(self._head(method, path, body, headers or {}), body, done)
        reply.add_done_callback(lambda future: request.hang_up() if future.cancelled() else None)
        self._ask(request)
        return reply

    def _ask(self, request: "_Request") -> None:
        while self._free:
            connection = self._free.pop()
            connection.free = False
            if not connection.transport.is_closing():
                connection.send(request)
                self._offer(connection)
                return
        self._waiting.append(request)
        self._open_another()

    def freed(self, connection: "_Connection") -> None:
        """A connection can take a request more, or several."""
        while self._waiting and len(connection.under_way) < self._how.depth:
            request = self._waiting.popleft()
            if not request.given_up:
                connection.send(request)
        self._offer(connection)

    def gone(self, connection: "_Connection") -> None:
        """A connection has ended: somebody may be waiting for one that never comes."""
        self.connections.discard(connection)
        if self._waiting:
            self._open_another()

    def _offer(self, connection: "_Connection") -> None:
        """The last one that was free is the next one to be used, unless it has something to do already."""
        if connection.free or len(connection.under_way) >= self._how.depth:
            return
        connection.free = True
        if connection.under_way:
            self._free.appendleft(connection)
        else:
            self._free.append(connection)

    def _open_another(self) -> None:
        if len(self.connections) + len(self._opening) < self._how.most:
            opening = asyncio.get_running_loop().create_task(self._open())
            self._opening.add(opening)
            opening.add_done_callback(self._opened)

    def _opened(self, opening: asyncio.Task[None]) -> None:
        """Somebody may be left who counted on it: it has failed, or what it opened was lost before it was done."""
        self._opening.discard(opening)
        if len(self._waiting) > len(self._opening) and not opening.cancelled():
            self._open_another()

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.timeout):
                source = (self._how.source, 0) if self._how.source else None
                await loop.create_connection(lambda: _Connection(self), *self._address, local_addr=source)
        except OSError:
            if self._waiting:
                self._waiting.popleft().done(Reply(LOST, b""))

    def _head(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        named = {"Host": self._address[0], **headers, "Content-Length": str(len(body))}
        if not self._how.keep:
            named["Connection"] = "close"
        return "\r\n".join([f"{method} {path} HTTP/1.1", *map(": ".join, named.items()), "", ""]).encode()


class _Request:
    """Bytes to send, who waits for them, and the connection that it went to."""

    def __init__(self, head: bytes, body: bytes, done: _Done) -> None:
        self.pieces = (head, body)
        self.done = done
        self.connection: _Connection | None = None
        self.given_up = False

    def hang_up(self) -> None:
        self.given_up = True
        if self.connection is not None:
            self.connection.transport.abort()


class _Connection(asyncio.Protocol):
    """Answers come in the order of the requests."""

    transport: asyncio.Transport
    _received = b""
    _patience: asyncio.TimerHandle | None = None

    def __init__(self, client: Client) -> None:
        self._client = client
        self.under_way: deque[_Request] = deque()
        self.free = False

    def send(self, request: _Request) -> None:
        request.connection = self
        self.under_way.append(request)
        if self._patience is None:
            self._wait()
        self.transport.writelines(request.pieces)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._client.connections.add(self)
        self._client.freed(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while self.under_way:
            head, end, rest = self._received.partition(b"\r\n\r\n")
            found = _LENGTH.search(head)
            length = int(found[1]) if found else 0
            if not end or len(rest) < length:
                return
            self._received = rest[length:]
            self._answered(Reply(int(head[9:12]), rest[:length]), closes=bool(_CLOSE.search(head)))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - lost is lost
        if self._patience is not None:
            self._patience.cancel()
        while self.under_way:
            self.under_way.popleft().done(Reply(LOST, b""))
        self._client.gone(self)

    def _answered(self, reply: Reply, *, closes: bool) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        request = self.under_way.popleft()
        request.connection = None
        if closes:
            self.transport.close()
        else:
            if self.under_way:
                self._wait()
            self._client.freed(self)
        request.done(reply)

    def _wait(self) -> None:
        self._patience = asyncio.get_running_loop().call_later(self._client.timeout, self.transport.abort)
