"""Open-loop and closed-loop load, and the sum of what came back.

An open loop sends on time whether or not answers have come, as the world does. A closed loop waits for
an answer before it sends again: it finds the throughput, and hides every overload.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tools.client import LOST, Answer, Client
from tools.clips import Clip
from tools.statistics import percentile


@dataclass(frozen=True, slots=True)
class Summary:
    """One window of load."""

    sent: int
    seconds: float
    """From the first request due to the end of the window, or to the last answer where that is later."""
    good: int
    """Answered 200 with the expected text."""
    refused: int
    """429."""
    late: int
    """504: admitted, then past the deadline."""
    failed: int
    """Other 4xx and 5xx."""
    lost: int
    wrong: int
    """Answered 200 with another text."""
    p50: float
    """Seconds, over the good."""
    p95: float
    refused_p99: float
    """Seconds, over the refused."""

    @property
    def goodput(self) -> float:
        """Good answers a second."""
        return self.good / self.seconds if self.seconds else 0.0


def summarise(answers: Sequence[Answer], seconds: float) -> Summary:
    """Count; `seconds` is the length of the window in which they were sent."""
    good = [answer.seconds for answer in answers if answer.correct]
    refused = [answer.seconds for answer in answers if answer.status == 429]
    statuses = [answer.status for answer in answers]
    late, lost, answered = statuses.count(504), statuses.count(LOST), statuses.count(200)
    return Summary(
        sent=len(answers),
        seconds=seconds,
        good=len(good),
        refused=len(refused),
        late=late,
        failed=len(answers) - answered - len(refused) - late - lost,
        lost=lost,
        wrong=answered - len(good),
        p50=percentile(good, 50),
        p95=percentile(good, 95),
        refused_p99=percentile(refused, 99),
    )


def poisson_arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    """Times in seconds at which `rate` independent strangers a second would come; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - load, not secrets
    times: list[float] = []
    now = chance.expovariate(rate)
    while now < seconds:
        times.append(now)
        now += chance.expovariate(rate)
    return times


async def open_loop(
    client: Client, clips: Sequence[Clip], arrivals: Sequence[float], progress: Callable[[], object] = lambda: None
) -> list[Answer]:
    """Send clips in turn at the given times, in seconds from now; return when all are answered or lost."""
    started = time.perf_counter()
    running: list[asyncio.Future[Answer]] = []
    for index, arrival in enumerate(arrivals):
        due = started + arrival
        # Only ever wait when ahead: a generator that is late catches up, and the lateness counts as latency.
        if (ahead := due - time.perf_counter()) > 0:
            await asyncio.sleep(ahead)
        running.append(client.send(clips[index % len(clips)], due))
        progress()
    return list(await asyncio.gather(*running))


async def closed_loop(client: Client, clips: Sequence[Clip], connections: int, seconds: float) -> list[Answer]:
    """Keep `connections` requests under way for `seconds`; return what was answered while all of them were."""
    end = time.perf_counter() + seconds
    turn = iter(range(10**9))

    async def one() -> list[Answer]:
        answers = []
        while time.perf_counter() < end:
            answers.append(await client.transcribe(clips[next(turn) % len(clips)]))
        return answers

    of_all = await asyncio.gather(*(one() for _ in range(connections)))
    return [answer for answers in of_all for answer in answers if answer.done <= end]


def completed_rate(answers: Sequence[Answer]) -> float:
    """Good answers a second between the first and the last of them: no ramp, no tail."""
    times = sorted(answer.done for answer in answers if answer.correct)
    return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 0.0


def rate_within(answers: Sequence[Answer], start: float, end: float) -> float:
    """Good answers a second that came between two moments of `time.perf_counter()`."""
    return sum(answer.correct and start <= answer.done <= end for answer in answers) / (end - start)
