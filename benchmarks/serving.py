"""Servers take turns: in every round each one is asked by one client, then by many at once."""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from tqdm import tqdm

from benchmarks.closed_loop import Loop, one_by_one, probe_health
from benchmarks.contestants import OURS, Contestant
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
    alone: int = 4
    """Clips in a round from one client that has the server to itself."""


@dataclass(slots=True)
class Turns:
    """What one server did; one entry for each round."""

    contestant: Contestant
    computes: str
    """Precision as the server tells it, where it does."""
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
    broken: Mapping[str, str]
    """Server → why it had to leave."""


def compare(entrants: Sequence[Sequence[Contestant]], load: Load, rounds: int, scratch: Path) -> Comparison:
    """Find the best settings of each server, then let the servers take turns; raise NotServing where ours cannot."""
    tried = _try_all([settings for settings in entrants if len(settings) > 1], load, scratch)
    broken = {name: "no answers with any settings" for name, rates in tried.items() if not any(rates.values())}
    chosen = [max(settings, key=lambda one: tried.get(one.name, {}).get(one.settings, 0.0)) for settings in entrants]
    with ExitStack() as stack:
        turns = []
        for index, contestant in enumerate(chosen):
            if contestant.name not in broken:
                with _surviving(contestant.name, broken):
                    server = stack.enter_context(Served(contestant, scratch / f"server-{index}.log"))
                    turns.append(_Turn(server, load))
        plan = [turns[(index + number) % len(turns)] for number in range(rounds) for index in range(len(turns))]
        for turn in tqdm(plan, desc="servers", unit="turn", disable=None):
            if turn.name not in broken:
                with _surviving(turn.name, broken):
                    turn.take()
        idle = _idle([turn.server for turn in turns])
    return Comparison(load, {turn.name: turn.turns for turn in turns if turn.name not in broken}, tried, idle, broken)


@contextlib.contextmanager
def _surviving(name: str, broken: dict[str, str]) -> Iterator[None]:
    """Go on without a server that breaks down, unless it is ours."""
    try:
        yield
    except (NotServing, Refused, OSError, EOFError) as error:
        if name == OURS:
            raise NotServing(f"{name}: {error!r}") from error
        broken[name] = f"{error!r}"


class _Turn:
    """One server, and what is asked of it again and again."""

    def __init__(self, server: Served, load: Load) -> None:
        self.name = server.contestant.name
        self.server = server
        self.turns = Turns(server.contestant, uvloop.run(server.computes()))
        self._load = load
        self._messages = [server.message(clip) for clip in load.clips]
        self._expected = uvloop.run(one_by_one(server, self._messages))[0]

    def take(self) -> None:
        """Be asked by one client, then by many."""
        uvloop.run(self._alone())
        self.full()

    def full(self) -> float:
        """Be asked by many clients; return audio seconds a second."""
        uvloop.run(self._full())
        return self.turns.rates[-1]

    async def _alone(self) -> None:
        order = [index % len(self._messages) for index in range(self._load.alone)]
        texts, seconds = await one_by_one(self.server, [self._messages[index] for index in order])
        self.turns.alone.append(seconds)
        self.turns.wrong += sum(text != self._expected[index] for text, index in zip(texts, order, strict=True))

    async def _full(self) -> None:
        lines = [await self.server.line() for _ in range(self._load.clients)]
        started = time.perf_counter()
        loop = Loop(self._messages, self._expected, started + self._load.seconds)
        probe = asyncio.create_task(probe_health(self.server, started + self._load.seconds))
        await loop.run(lines)
        elapsed = time.perf_counter() - started
        self.turns.rates.append(len(loop.seconds) * self._load.clip_seconds / elapsed)
        self.turns.loaded.append(loop.seconds)
        self.turns.health.append(await probe)
        self.turns.wrong += loop.wrong
        for line in lines:
            await line.close()


def _try_all(entrants: Sequence[Sequence[Contestant]], load: Load, scratch: Path) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    everything = [one for settings in entrants for one in settings]
    log = scratch / "tried.log"
    for contestant in tqdm(everything, desc="settings of servers", unit="server", disable=None):
        rate = 0.0
        with contextlib.suppress(NotServing, Refused, OSError, EOFError), Served(contestant, log) as server:
            rate = _Turn(server, load).full()
        found.setdefault(contestant.name, {})[contestant.settings] = rate
    return found


def _idle(servers: Sequence[Served]) -> float:
    time.sleep(_SETTLE_SECONDS)
    before = sum(server.processor_seconds() for server in servers)
    time.sleep(_IDLE_SECONDS)
    return (sum(server.processor_seconds() for server in servers) - before) / _IDLE_SECONDS
