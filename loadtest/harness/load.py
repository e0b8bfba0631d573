"""Open-loop and closed-loop load.

An open loop sends on time whether or not answers have come, as the world does. A closed loop waits for
an answer before it sends again: it finds the throughput, and hides every overload.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Protocol

from loadtest.harness.client import Client
from loadtest.harness.clips import Clip
from loadtest.harness.outcomes import Outcome, summarise


class _Sender(Protocol):
    """A client of whatever protocol."""

    async def transcribe(self, clip: Clip) -> Outcome:
        """Send one clip."""


def poisson_arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    """Times in seconds at which `rate` independent strangers a second would come; the same for the same seed."""
    chance = random.Random(seed)
    times: list[float] = []
    now = chance.expovariate(rate)
    while now < seconds:
        times.append(now)
        now += chance.expovariate(rate)
    return times


async def open_loop(
    client: Client, clips: Sequence[Clip], arrivals: Sequence[float], progress: Callable[[], object] = lambda: None
) -> list[Outcome]:
    """Send clips in turn at the given times, in seconds from now; return when all are answered or lost."""
    started = time.perf_counter()
    running: list[asyncio.Future[Outcome]] = []
    for index, arrival in enumerate(arrivals):
        due = started + arrival
        # Only ever wait when ahead: a generator that is late catches up, and the lateness counts as latency.
        if (ahead := due - time.perf_counter()) > 0:
            await asyncio.sleep(ahead)
        running.append(client.send(clips[index % len(clips)], due))
        progress()
    return list(await asyncio.gather(*running))


async def closed_loop(client: _Sender, clips: Sequence[Clip], clients: int, seconds: float) -> list[Outcome]:
    """Let so many clients ask for `seconds`, each for its next clip when it has the answer to the last.

    Returns all outcomes, in the order of the answers; the last ones come after the time.
    """
    end = time.perf_counter() + seconds
    turn = count()
    outcomes: list[Outcome] = []

    async def one() -> None:
        while time.perf_counter() < end:
            outcomes.append(await client.transcribe(clips[next(turn) % len(clips)]))

    await asyncio.gather(*(one() for _ in range(clients)))
    return outcomes


async def saturated_rate(client: _Sender, clips: Sequence[Clip], clients: int, seconds: float) -> float:
    """Good answers a second of a server that never waits for work; raise WrongText for a wrong one."""
    end = time.perf_counter() + seconds
    outcomes = await closed_loop(client, clips, clients, seconds)
    summarise(outcomes, seconds).check()
    return completed_rate(outcomes, end)


def completed_rate(outcomes: Sequence[Outcome], end: float) -> float:
    """Good answers a second between the first of them and the last before `end`: no ramp, no tail."""
    times = sorted(outcome.done for outcome in outcomes if outcome.kind == "good" and outcome.done <= end)
    return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 0.0
