"""Servers take turns: in every round each one is asked by one client, then by many at once."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import uvloop
from tqdm import tqdm

from benchmarks.servers.asking import Served, hear
from benchmarks.servers.roster import OURS, Contestant
from loadtest.harness.clips import Clip
from loadtest.harness.load import closed_loop, completed_rate, saturated_rate
from loadtest.harness.outcomes import Outcome, WrongText
from loadtest.harness.server import ServerFailed
from loadtest.harness.watch import Probe

_BREAKS = (ServerFailed, WrongText, AssertionError, OSError)


@dataclass(frozen=True, slots=True)
class Load:
    """How servers are asked."""

    clips: Sequence[Clip]
    """Their texts are each server's own: what it says while nothing else goes on."""
    clients: int = 8
    """At full load."""
    seconds: float = 6.0
    """Of full load in a round; a lone client has half as much."""


@dataclass(slots=True)
class Turns:
    """What one server did; rates have an entry for each round."""

    contestant: Contestant
    rates: list[float] = field(default_factory=list)
    """Audio seconds a second at full load, right answers alone."""
    alone: list[float] = field(default_factory=list)
    """Seconds of each request from a lone client."""
    loaded: list[float] = field(default_factory=list)
    """Seconds of each request at full load."""
    health: list[float] = field(default_factory=list)
    """Seconds of each `/healthz` at full load."""


def compare(
    entrants: Sequence[Sequence[Contestant]], load: Load, rounds: int, scratch: Path
) -> tuple[dict[str, Turns], dict[str, str]]:
    """Find the best settings of each server, then let the servers take turns; name those that broke, and why.

    Raises ServerFailed where ours cannot be measured.
    """
    broken: dict[str, str] = {}
    chosen = [_best(settings, load, scratch, broken) for settings in entrants]
    found: dict[str, Turns] = {}
    with ExitStack() as stack:
        running: dict[str, tuple[Served, Load]] = {}
        for contestant in chosen:
            if contestant.name not in broken:
                try:
                    server = stack.enter_context(Served(contestant, scratch / f"{len(running)}.log"))
                    running[contestant.name] = server, _own_texts(server, load)
                except _BREAKS as error:
                    _lose(contestant.name, error, broken)
        names = list(running)
        plan = [names[(index + number) % len(names)] for number in range(rounds) for index in range(len(names))]
        for name in tqdm(plan, desc="servers", unit="turn", disable=None):
            if name not in broken:
                try:
                    _turn(*running[name], found.setdefault(name, Turns(running[name][0].contestant)))
                except _BREAKS as error:
                    _lose(name, error, broken)
                    found.pop(name, None)
    return found, broken


def _best(settings: Sequence[Contestant], load: Load, scratch: Path, broken: dict[str, str]) -> Contestant:
    """Try settings in one turn each."""
    rates: list[float] = []
    for contestant in settings if len(settings) > 1 else ():
        try:
            with Served(contestant, scratch / "tried.log") as server, server.client() as client:
                rates.append(
                    uvloop.run(saturated_rate(client, _own_texts(server, load).clips, load.clients, load.seconds))
                )
        except _BREAKS as error:
            broken[contestant.name] = str(error)
            rates.append(0.0)
        tqdm.write(f"tried: {contestant.name}, {contestant.settings}: {rates[-1]:.2f} clips/s")
    if any(rates):
        broken.pop(settings[0].name, None)  # with other settings alone
    return settings[rates.index(max(rates))] if rates else settings[0]


def _own_texts(server: Served, load: Load) -> Load:
    async def texts() -> list[str]:
        with server.client() as client:
            return [await hear(client, clip.data) for clip in load.clips]

    found = uvloop.run(texts())
    return replace(load, clips=[replace(clip, text=text) for clip, text in zip(load.clips, found, strict=True)])


def _turn(server: Served, load: Load, turns: Turns) -> None:
    """Be asked by one client, then by many."""

    async def ask(clients: int, seconds: float) -> tuple[list[Outcome], float]:
        end = time.perf_counter() + seconds
        with server.client() as client:
            outcomes = await closed_loop(client, load.clips, clients, seconds)
        if wrong := [outcome for outcome in outcomes if outcome.kind != "good"]:
            raise ServerFailed(f"{len(wrong)} of {len(outcomes)} went wrong: {wrong[0]}")
        return outcomes, completed_rate(outcomes, end)

    outcomes, _ = uvloop.run(ask(1, load.seconds / 2))
    turns.alone += [outcome.seconds for outcome in outcomes]
    with ExitStack() as stack:
        probe = None if server.contestant.websocket else stack.enter_context(Probe(server.port))
        outcomes, rate = uvloop.run(ask(load.clients, load.seconds))
    turns.rates.append(rate * load.clips[0].seconds)
    turns.loaded += [outcome.seconds for outcome in outcomes]
    if probe:
        turns.health += [outcome.seconds for outcome in probe.outcomes if outcome.kind == "healthz"]


def _lose(name: str, error: Exception, broken: dict[str, str]) -> None:
    """Go on without a server that breaks down, unless it is ours."""
    if name == OURS:
        raise ServerFailed(f"{name}: {error}") from error
    broken[name] = str(error)
