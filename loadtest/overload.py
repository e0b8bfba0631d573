"""A server that is asked for too much, and a client beside others who flood it.

`overload` sends five times what the server can take, in turns of a few seconds with just that load. Its queue is full
and its lanes are busy all the while: the turns differ in the requests that are refused and in nothing else, and a
machine whose speed drifts drifts through both.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import median

import uvloop

from loadtest.bench import Bench, Cells
from loadtest.harness.client import Client, Connecting
from loadtest.harness.clips import Clip
from loadtest.harness.load import closed_loop, open_loop, poisson_arrivals
from loadtest.harness.outcomes import Outcome, summarise
from loadtest.harness.server import GunicornServer
from loadtest.harness.statistics import ratio_of_sums, ratios
from loadtest.harness.watch import Probe

_OVERLOAD = 5.0
_FILLING_SECONDS = 10.0 / (_OVERLOAD - 1) + 1
"""Until a queue of ASR_MAX_QUEUE_SECONDS (10, by default) is full: before that all are admitted."""
_FLOOD, _QUIET = "127.0.0.1", "127.0.0.2"
"""Addresses: clients are distinguished by them."""
_SETTLING_SECONDS = 0.25
"""At the beginning of a turn, not measured: what came before is still being dealt with."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Turns of load."""

    capacity: float
    """Clips a second."""
    rounds: int
    seconds: float
    """Of a turn."""

    @property
    def loads(self) -> list[tuple[float, float]]:
        """Multiple of capacity and seconds of each turn, the one that fills the queue before them all."""
        return [(_OVERLOAD, _FILLING_SECONDS)] + [(1.0, self.seconds), (_OVERLOAD, self.seconds)] * self.rounds

    @property
    def starts(self) -> list[float]:
        """Seconds from the beginning to that of each turn."""
        return list(accumulate((seconds for _, seconds in self.loads[:-1]), initial=0.0))

    def arrivals(self) -> list[float]:
        """When a clip is sent, in seconds from the beginning."""
        turns = enumerate(zip(self.loads, self.starts, strict=True))
        return [
            start + at
            for seed, ((times, seconds), start) in turns
            for at in poisson_arrivals(times * self.capacity, seconds, seed)
        ]


def overload(bench: Bench) -> Cells:
    """Goodput, 429s, health and deadlines at five times capacity, in turns with capacity."""
    lanes = bench.options.lanes
    server = bench.server(lanes)
    bench.saturate(server, lanes)
    schedule = Schedule(bench.saturate(server, lanes), bench.options.rounds, bench.options.seconds)
    with Probe(server.port) as probe:
        began, outcomes = uvloop.run(_send(server, bench.clips, schedule))
    turns = [
        (began + start + _SETTLING_SECONDS, began + start + bench.options.seconds) for start in schedule.starts[1:]
    ]
    at_capacity, at_overload = (
        [summarise(outcomes, end - start, start).goodput for start, end in turns[kind::2]] for kind in (0, 1)
    )
    asked = [each for each in probe.outcomes if any(start < each.due < end for start, end in turns[1::2])]
    found = summarise([*outcomes, *asked], turns[-1][1] - turns[0][0], turns[0][0]).check()
    print(found)
    return {
        "goodput at 5 × capacity ÷ at capacity": f"{ratio_of_sums(at_overload, at_capacity):.3f}",
        "p99 of a 429, of `/healthz` at 5 × capacity, ms": f"{1000 * found.refused_p99:.0f}, "
        f"{1000 * found.healthz_p99:.0f}",
    }


def fairness(bench: Bench) -> Cells:
    """Short clips of one client beside eight that flood the server: as they come, and as if all were one client."""
    server = bench.server(bench.options.lanes)
    short, long = bench.subject.clips([1.0] * 4), bench.subject.clips([10.0] * 4)
    seconds = bench.options.seconds

    async def p95(source: str) -> float:
        quiet = Client(server.address, how=Connecting(source=source))
        with quiet, Client(server.address, how=Connecting(source=_FLOOD)) as flood:
            _, outcomes = await asyncio.gather(
                closed_loop(flood, long, 8, seconds), closed_loop(quiet, short, 1, seconds)
            )
        return summarise(outcomes, seconds).check().p95

    fair, one = zip(*((uvloop.run(p95(_QUIET)), uvloop.run(p95(_FLOOD))) for _ in bench.rounds()), strict=True)
    print(f"p95 of 1-second clips: {1000 * median(fair):.0f} ms, as one client's {1000 * median(one):.0f} ms")
    return {"p95 of short clips beside a flood: fair ÷ first come, first served": str(ratios(fair, one))}


async def _send(server: GunicornServer, clips: Sequence[Clip], schedule: Schedule) -> tuple[float, list[Outcome]]:
    """Send `clips` by the schedule; return when it began, and all outcomes."""
    began = time.perf_counter()
    with Client(server.address) as client:
        return began, await open_loop(client, clips, schedule.arrivals())
