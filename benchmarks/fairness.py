"""Short clips of one client while another one floods the same server with long ones."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from tqdm import tqdm

from benchmarks.closed_loop import Loop, one_by_one
from benchmarks.contestants import Contestant
from benchmarks.served import Served
from benchmarks.spread import percentile

_FLOOD, _QUIET = "flood", "quiet"


@dataclass(slots=True)
class Waits:
    """The short clips' p95 in seconds, one for each round."""

    fair: list[float] = field(default_factory=list)
    """Two clients, as they come."""
    one_client: list[float] = field(default_factory=list)
    """Both call themselves the same client, whose clips are served in the order in which they come."""
    wrong: int = 0


@dataclass(frozen=True, slots=True)
class Flood:
    """WAV files, and how they are sent."""

    short: Sequence[bytes]
    long: Sequence[bytes]
    clients: int = 8
    """Connections that keep sending long clips; one sends short ones."""
    seconds: float = 6.0


def measure(contestant: Contestant, flood: Flood, rounds: int, scratch: Path) -> Waits:
    """Let the two orders take turns on one server."""
    waits = Waits()
    with Served(contestant, scratch / "fairness.log") as server:
        expected = [
            uvloop.run(one_by_one(server, [server.message(clip) for clip in clips]))[0]
            for clips in (flood.short, flood.long)
        ]
        for _ in tqdm(range(rounds), desc="fairness", unit="round", disable=None):
            for found, client in ((waits.fair, _QUIET), (waits.one_client, _FLOOD)):
                quiet, flooding = uvloop.run(_round(server, flood, expected, client))
                found.append(percentile(quiet.seconds, 95))
                waits.wrong += quiet.wrong + flooding.wrong
    return waits


async def _round(server: Served, flood: Flood, expected: Sequence[Sequence[str]], client: str) -> tuple[Loop, Loop]:
    short = [server.message(clip, client) for clip in flood.short]
    long = [server.message(clip, _FLOOD) for clip in flood.long]
    lines = [await server.line() for _ in range(flood.clients + 1)]
    end = time.perf_counter() + flood.seconds
    quiet, flooding = Loop(short, expected[0], end), Loop(long, expected[1], end)
    await asyncio.gather(flooding.run(lines[1:]), quiet.run(lines[:1]))
    for line in lines:
        await line.close()
    return quiet, flooding
