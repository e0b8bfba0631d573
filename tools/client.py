"""A lean HTTP/1.1 client: it shares the machine with the server that it measures.

One request costs it a small part of what httpx or aiohttp cost. It knows just what this server
answers: a status line, headers with a Content-Length, a body.
"""

import asyncio
import json
import re
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, cast

from tools.clips import Clip

LOST = 0
_LENGTH = re.compile(rb"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)
_CLOSE = re.compile(rb"^connection: *close", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request."""

    due: float
    """When it was to be sent: `time.perf_counter()`. Latency counts from here, however late the client was."""
    seconds: float
    """Latency."""
    status: int
    """HTTP status; LOST where no answer came."""
    correct: bool
    """The text is the expected one. False for any status but 200."""
    processing: float
    """Seconds of work inside the lane, from the server's own account; 0 where there was none."""

    @property
    def done(self) -> float:
        """When the answer was there: `time.perf_counter()`."""
        return self.due + self.seconds


class Client:
    """Keeps connections alive, and opens as many as are wanted at once."""

    def __init__(self, host: str, port: int, timeout: float = 60.0) -> None:
        self._host = host
        self._port = port
        self._timeout = timeout
        self._idle: deque[_Connection] = deque()

    async def transcribe(self, clip: Clip, due: float | None = None) -> Answer:
        """Send one clip as a raw body; a lost request is an answer too, never an exception."""
        due = time.perf_counter() if due is None else due
        head = f"POST /transcribe HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: audio/wav\r\n"
        try:
            status, body = await self._exchange(head, clip.data)
        except (OSError, EOFError, ValueError):
            return Answer(due, time.perf_counter() - due, LOST, correct=False, processing=0.0)
        seconds = time.perf_counter() - due
        if status != 200:
            return Answer(due, seconds, status, correct=False, processing=0.0)
        return _transcribed(due, seconds, json.loads(body), clip)

    async def get(self, path: str) -> tuple[int, bytes]:
        """Fetch a path; raises OSError (TimeoutError is one) or EOFError."""
        return await self._exchange(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n", b"")

    def close(self) -> None:
        """Let go of idle connections."""
        while self._idle:
            self._idle.pop().transport.close()

    async def _exchange(self, head: str, body: bytes) -> tuple[int, bytes]:
        async with asyncio.timeout(self._timeout):
            connection = await self._connect()
            try:
                status, answer = await connection.ask(f"{head}Content-Length: {len(body)}\r\n\r\n".encode(), body)
            except BaseException:
                connection.transport.close()
                raise
        self._idle.append(connection)
        return status, answer

    async def _connect(self) -> "_Connection":
        while self._idle:
            connection = self._idle.pop()
            if not connection.transport.is_closing():
                return connection
        return (await asyncio.get_running_loop().create_connection(_Connection, self._host, self._port))[1]


class _Connection(asyncio.Protocol):
    """One request at a time."""

    transport: asyncio.Transport
    _received = b""
    _answer: asyncio.Future[tuple[int, bytes]] | None = None

    def ask(self, head: bytes, body: bytes) -> asyncio.Future[tuple[int, bytes]]:
        """Send a request; its future gets status and body."""
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.writelines((head, body))
        return self._answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not end or len(body) < (int(length[1]) if length else 0):
            return
        self._received = b""
        if _CLOSE.search(head):
            self.transport.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((int(head[9:12]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or EOFError("closed without an answer"))


def _transcribed(due: float, seconds: float, content: dict[str, Any], clip: Clip) -> Answer:
    processing = content["processing"]
    return Answer(
        due=due,
        seconds=seconds,
        status=200,
        correct=content["text"] == clip.text,
        processing=sum(processing[stage] for stage in ("decode", "features", "inference", "decoding")),
    )
