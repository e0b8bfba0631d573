"""A lean HTTP/1.1 client: it shares the machine with the server that it measures.

One request costs it about a tenth of what httpx or aiohttp cost. It knows just what this server
answers: a status line, headers with a Content-Length, a body.
"""

import asyncio
import json
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from tools.clips import Clip

_SEND_BUFFER = 1 << 20
LOST = 0


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
    problem: str
    """Last part of the problem's `type`, such as `overloaded`; what went wrong where the request was lost."""
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
        self._idle: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()

    async def transcribe(self, clip: Clip, due: float | None = None) -> Answer:
        """Send one clip as a raw body; a lost request is an answer too, never an exception."""
        due = time.perf_counter() if due is None else due
        head = (
            f"POST /transcribe HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: audio/wav\r\n"
            f"Content-Length: {len(clip.data)}\r\n\r\n"
        ).encode()
        try:
            status, body = await asyncio.wait_for(self._exchange(head, clip.data), self._timeout)
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            return Answer(due, time.perf_counter() - due, LOST, correct=False, problem=repr(error), processing=0.0)
        seconds = time.perf_counter() - due
        return _answer(due, seconds, status, body, clip)

    async def get(self, path: str) -> tuple[int, bytes]:
        """Fetch a path; raises OSError, EOFError or TimeoutError."""
        head = f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode()
        return await asyncio.wait_for(self._exchange(head, b""), self._timeout)

    def close(self) -> None:
        """Let go of idle connections."""
        while self._idle:
            self._idle.pop()[1].close()

    async def _exchange(self, head: bytes, body: bytes) -> tuple[int, bytes]:
        reader, writer = await self._connect()
        try:
            writer.write(head)
            writer.write(body)
            status, keep, answer = await _read_answer(reader)
        except BaseException:
            writer.close()
            raise
        if keep:
            self._idle.append((reader, writer))
        else:
            writer.close()
        return status, answer

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not (writer.is_closing() or reader.at_eof()):
                return reader, writer
            writer.close()
        reader, writer = await asyncio.open_connection(self._host, self._port)
        writer.transport.set_write_buffer_limits(_SEND_BUFFER)
        return reader, writer


async def _read_answer(reader: asyncio.StreamReader) -> tuple[int, bool, bytes]:
    """Status, whether the connection lives on, body."""
    lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
    headers = dict(line.split(b": ", 1) for line in lines[1:] if b": " in line)
    body = await reader.readexactly(int(headers.get(b"content-length", b"0")))
    return int(lines[0].split()[1]), headers.get(b"connection") != b"close", body


def _answer(due: float, seconds: float, status: int, body: bytes, clip: Clip) -> Answer:
    content: dict[str, Any] = json.loads(body) if body.startswith(b"{") else {}
    processing = content.get("processing", {})
    return Answer(
        due=due,
        seconds=seconds,
        status=status,
        correct=status == 200 and content.get("text") == clip.text,
        problem=str(content.get("type", "")).rpartition("/")[2],
        processing=sum(processing.get(stage, 0.0) for stage in ("decode", "features", "inference", "decoding")),
    )
