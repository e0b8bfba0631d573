"""Servers take turns: in every round each one is asked by one client, then by many at once."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from tqdm import tqdm

from benchmarks.closed_loop import Loop, one_by_one, probe_health
from benchmarks.contestants import Contestant
from benchmarks.served import NotServing, Served
from benchmarks.wire import Refused

_SETTLE_SECONDS, _IDLE_SECONDS = 1.0, 2.0


@dataclass(frozen=True, slots=True)
class Load:
    """How servers are asked."""

    clips: Sequence[bytes]
    """WAV files."""
    clip_seconds: float
    """Length of each."""
    clients: int = 8
    """At full load."""
    seconds: float = 6.0
    """Of full load in a round."""
    alone: int = 10
    """Clips in a round from one client that has the server to itself."""


@dataclass(slots=True)
class Turns:
    """What one server did; one entry for each round."""

    settings: str
    rates: list[float] = field(default_factory=list)
    """Audio seconds a second at full load, right answers alone."""
    alone: list[list[float]] = field(default_factory=list)
    """Seconds of each request from a lone client."""
    loaded: list[list[float]] = field(default_factory=list)
    """Seconds of each request at full load."""
    health: list[list[float]] = field(default_factory=list)
    """Seconds of each `/healthz` at full load."""
    wrong: int = 0
    """Answers that differ from those of the idle server, and failures."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Of all servers on one load."""

    load: Load
    turns: Mapping[str, Turns]
    tried: Mapping[str, Mapping[str, float]]
    """Server → settings → audio seconds a second, from one turn each; empty where there was no choice."""
    idle: float
    """Processors that all servers together keep busy when nobody asks."""


def compare(entrants: Mapping[str, Sequence[Contestant]], load: Load, rounds: int, scratch: Path) -> Comparison:
    """Find the best settings of each server, then let the servers take turns."""
    chosen, tried = {}, {}
    for name, settings in entrants.items():
        rates = [_try(one, load, scratch) for one in settings] if len(settings) > 1 else [0.0]
        tried[name] = {one.settings: rate for one, rate in zip(settings, rates, strict=True) if len(settings) > 1}
        chosen[name] = settings[rates.index(max(rates))]
    with ExitStack() as stack:
        servers = [
            stack.enter_context(Served(contestant, scratch / f"server-{index}.log"))
            for index, contestant in enumerate(chosen.values())
        ]
        turns = [_Turn(server, load) for server in servers]
        for number in tqdm(range(rounds), unit="round", disable=None):
            for index in range(len(turns)):
                turns[(index + number) % len(turns)].take()
        idle = _idle(servers)
    return Comparison(load, {turn.name: turn.turns for turn in turns}, tried, idle)


class _Turn:
    """One server, and what is asked of it again and again."""

    def __init__(self, server: Served, load: Load) -> None:
        self.name = server.contestant.name
        self.turns = Turns(server.contestant.settings)
        self._server, self._load = server, load
        self._messages = [server.message(clip) for clip in load.clips]
        self._expected = uvloop.run(one_by_one(server, self._messages))[0]

    def take(self) -> None:
        uvloop.run(self._alone())
        uvloop.run(self._full())

    async def _alone(self) -> None:
        order = [index % len(self._messages) for index in range(self._load.alone)]
        texts, seconds = await one_by_one(self._server, [self._messages[index] for index in order])
        self.turns.alone.append(seconds)
        self.turns.wrong += sum(text != self._expected[index] for text, index in zip(texts, order, strict=True))

    async def _full(self) -> None:
        lines = [await self._server.line() for _ in range(self._load.clients)]
        started = time.perf_counter()
        loop = Loop(self._messages, self._expected, started + self._load.seconds)
        probe = asyncio.create_task(probe_health(self._server, started + self._load.seconds))
        await loop.run(lines)
        elapsed = time.perf_counter() - started
        self.turns.rates.append(len(loop.seconds) * self._load.clip_seconds / elapsed)
        self.turns.loaded.append(loop.seconds)
        self.turns.health.append(await probe)
        self.turns.wrong += loop.wrong
        for line in lines:
            await line.close()


def _try(contestant: Contestant, load: Load, scratch: Path) -> float:
    try:
        with Served(contestant, scratch / "tried.log") as server:
            turn = _Turn(server, load)
            turn.take()
    except (NotServing, Refused, OSError, EOFError):
        return 0.0
    return turn.turns.rates[0]


def _idle(servers: Sequence[Served]) -> float:
    time.sleep(_SETTLE_SECONDS)
    before = sum(server.processor_seconds() for server in servers)
    time.sleep(_IDLE_SECONDS)
    return (sum(server.processor_seconds() for server in servers) - before) / _IDLE_SECONDS
