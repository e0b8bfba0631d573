"""Clients that each send their next clip when they have the answer to the last."""

import asyncio
import itertools
import time
from collections.abc import Sequence

from benchmarks.served import Served
from benchmarks.wire import HttpLine, Line, Refused

_PROBE_SECONDS = 0.05
_PATIENCE = 60.0  # seconds; who has no answer by then has lost it


class Loop:
    """Several clients that take turns through the same clips, until a moment of `time.perf_counter()`."""

    def __init__(self, messages: Sequence[bytes], expected: Sequence[str], end: float) -> None:
        self._messages, self._expected, self._end = messages, expected, end
        self._numbers = itertools.count()
        self.seconds: list[float] = []
        """Of each request that was answered right."""
        self.wrong = 0
        """Other texts, and clients that broke off."""

    async def run(self, lines: Sequence[Line]) -> None:
        """Return when the last answer is there."""
        await asyncio.gather(*(self._client(line) for line in lines))

    async def _client(self, line: Line) -> None:
        try:
            while (sent := time.perf_counter()) < self._end:
                number = next(self._numbers) % len(self._messages)
                async with asyncio.timeout(_PATIENCE):
                    text = await line.ask(self._messages[number])
                if text == self._expected[number]:
                    self.seconds.append(time.perf_counter() - sent)
                else:
                    self.wrong += 1
        except (OSError, EOFError, Refused):  # TimeoutError is an OSError
            self.wrong += 1


async def one_by_one(server: Served, messages: Sequence[bytes]) -> tuple[list[str], list[float]]:
    """Ask as a lone client: texts, and the seconds of each."""
    line = await server.line()
    texts, seconds = [], []
    for message in messages:
        sent = time.perf_counter()
        async with asyncio.timeout(_PATIENCE):
            texts.append(await line.ask(message))
        seconds.append(time.perf_counter() - sent)
    await line.close()
    return texts, seconds


async def probe_health(server: Served, end: float) -> list[float]:
    """Ask for `/healthz` again and again; seconds of each answer, none from a server that has no such thing."""
    seconds: list[float] = []
    if server.contestant.websocket:
        return seconds
    line = await HttpLine.open(server.port)
    while (sent := time.perf_counter()) < end:
        async with asyncio.timeout(_PATIENCE):
            await line.get("/healthz")
        seconds.append(time.perf_counter() - sent)
        await asyncio.sleep(_PROBE_SECONDS)
    await line.close()
    return seconds
