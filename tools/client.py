"""A lean HTTP/1.1 client: it shares the machine with the server that it measures.

One request costs it a small part of what httpx or aiohttp cost. It knows just what this server
answers: a status line, headers with a Content-Length, a body.
"""

import asyncio
import json
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

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
        self._opening: set[asyncio.Task[None]] = set()

    async def transcribe(self, clip: Clip, due: float | None = None) -> Answer:
        """Send one clip as a raw body; a lost request is an answer too, never an exception."""
        return await self.send(clip, time.perf_counter() if due is None else due)

    def send(self, clip: Clip, due: float) -> asyncio.Future[Answer]:
        """Do the same without a task, which would cost more than all the rest."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def done(status: int, body: bytes) -> None:
            if not answer.done():
                answer.set_result(_answer(clip, due, status, body))

        head = f"POST /transcribe HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: audio/wav\r\n"
        self._exchange(f"{head}Content-Length: {len(clip.data)}\r\n\r\n".encode(), clip.data, done)
        return answer

    def close(self) -> None:
        """Let go of idle connections."""
        while self._idle:
            self._idle.pop().transport.close()

    def _exchange(self, head: bytes, body: bytes, done: "_Done") -> None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.transport.is_closing():
                connection.ask(head, body, done)
                return
        opening = asyncio.get_running_loop().create_task(self._open(head, body, done))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)

    async def _open(self, head: bytes, body: bytes, done: "_Done") -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout):
                _, connection = await loop.create_connection(
                    lambda: _Connection(self._idle, self._timeout), self._host, self._port
                )
        except OSError:
            done(LOST, b"")
        else:
            connection.ask(head, body, done)


_Done = Callable[[int, bytes], object]
"""Gets an answer's status and body."""


class _Connection(asyncio.Protocol):
    """One request at a time; between them it lies in `idle`."""

    transport: asyncio.Transport
    _received = b""
    _done: _Done | None = None
    _patience: asyncio.TimerHandle | None = None

    def __init__(self, idle: "deque[_Connection]", timeout: float) -> None:
        self._idle = idle
        self._timeout = timeout

    def ask(self, head: bytes, body: bytes, done: _Done) -> None:
        """Send a request; `done` gets its answer, LOST where the connection ends or the time does."""
        self._done = done
        self._patience = asyncio.get_running_loop().call_later(self._timeout, self.transport.abort)
        self.transport.writelines((head, body))

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
        else:
            self._idle.append(self)
        self._finish(int(head[9:12]), body)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - lost is lost
        self._finish(LOST, b"")

    def _finish(self, status: int, body: bytes) -> None:
        if self._patience is not None:
            self._patience.cancel()
        done, self._done = self._done, None
        if done is not None:
            done(status, body)


def _answer(clip: Clip, due: float, status: int, body: bytes) -> Answer:
    seconds = time.perf_counter() - due
    if status != 200:
        return Answer(due, seconds, status, correct=False, processing=0.0)
    content = json.loads(body)
    processing = content["processing"]
    return Answer(
        due=due,
        seconds=seconds,
        status=200,
        correct=content["text"] == clip.text,
        processing=sum(processing[stage] for stage in ("decode", "features", "inference", "decoding")),
    )
