"""Five times the load that a server can take, in turns of a few seconds with just that load.

Its queue is full and its lanes are busy all the while: the turns differ in the requests that are refused and in nothing
else, and a machine whose speed drifts drifts through both.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from inference.machine import usable_cpus
from tools.client import Answer, Client
from tools.clips import Clip
from tools.load import open_loop, poisson_arrivals
from tools.local_server import LocalServer
from tools.processor_time import ProcessorTime

_OVERLOAD = 5.0
_FILLING_SECONDS = 10.0 / (_OVERLOAD - 1) + 1
"""Until a queue of ASR_MAX_QUEUE_SECONDS (10, by default) is full: before that all are admitted."""
_SETTLING_SECONDS = 0.25
"""At the beginning of a turn, not measured: what came before is still being dealt with."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A few seconds of one kind of load."""

    flooded: bool
    """Five times capacity, not once."""
    start: float
    """`time.perf_counter()`."""
    end: float
    shares: dict[str, float]
    """Percent of all processors' time meanwhile, by group of processes."""


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


async def alternate(
    server: LocalServer, clips: Sequence[Clip], schedule: Schedule, groups: Mapping[str, Sequence[int]]
) -> tuple[list[Answer], list[Turn]]:
    """Send `clips` by the schedule; return all answers, and all turns but the one that fills the queue."""
    client = Client(server.host, server.port)
    began = time.perf_counter()
    try:
        answers = asyncio.create_task(open_loop(client, clips, schedule.arrivals()))
        turns = [
            await _turn(began + start + _SETTLING_SECONDS, began + start + seconds, groups, flooded=times > 1)
            for (times, seconds), start in zip(schedule.loads[1:], schedule.starts[1:], strict=True)
        ]
        return await answers, turns
    finally:
        client.close()


async def _turn(start: float, end: float, groups: Mapping[str, Sequence[int]], *, flooded: bool) -> Turn:
    await asyncio.sleep(start - time.perf_counter())
    start = time.perf_counter()
    with ProcessorTime(usable_cpus(), groups) as processors:
        await asyncio.sleep(end - start)
    return Turn(flooded, start, time.perf_counter(), processors.shares)
