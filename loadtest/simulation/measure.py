"""A real server → the numbers by which a simulation knows it."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from statistics import median

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from loadtest.harness import REPOSITORY
from loadtest.harness.client import Address, Client
from loadtest.harness.clips import Clip
from loadtest.harness.load import completed_rate
from loadtest.harness.outcomes import Outcome, summarise
from loadtest.simulation.machine import Machine, UnknownMachine

MEASURED = REPOSITORY / "build" / "machine.json"
"""Where `python -m loadtest capacity` puts what it found."""
LENGTHS = (1.0, 2.0, 3.0, 5.0, 8.0, 12.0)
"""Of clips to measure a machine with, in seconds; all within a window."""
_LONE_ROUNDS = 3  # through all clips, one at a time


@dataclass(frozen=True, slots=True)
class Heard:
    """A clip and what became of it."""

    clip: Clip
    outcome: Outcome


async def measure(address: Address, clips: Sequence[Clip], seconds: float, name: str) -> Machine:
    """Ask for clips of several lengths, one at a time and then for so many seconds without a pause.

    Raises WrongText, and UnknownMachine where the server does not say how many lanes it has or answers too little.
    """
    with Client(address) as client:
        lanes = await _lanes(client)
        rounds = [await _hear(client, clips, 1, 0.0, len(clips)) for _ in range(1 + _LONE_ROUNDS)]
        alone = [heard for one in rounds[1:] for heard in one]  # the first warms up
        crowd = await _hear(client, clips, 2 * lanes, seconds, 2 * len(clips))
    outcomes = [heard.outcome for heard in crowd]
    rate = completed_rate(
        outcomes, max((outcome.due for outcome in outcomes), default=0.0)
    )  # until then lanes had work
    if not rate or not alone:
        raise UnknownMachine("the server answered too few clips to know it by")
    return machine_of(alone, crowd, Machine(name, lanes, 0.0, 0.0), rate)


def machine_of(alone: Sequence[Heard], crowd: Sequence[Heard], machine: Machine, rate: float) -> Machine:
    """Fit a machine to clips that were heard one at a time, and to those of a crowd, answered at a rate a second."""
    audio = np.array([heard.clip.seconds for heard in crowd])
    lane = np.array([heard.outcome.processing for heard in crowd])
    slope, fixed = np.polyfit(audio, lane, 1)
    fixed = float(np.clip(fixed, 0.0, lane.min()))
    slope = float((lane.mean() - fixed) / audio.mean())
    scatter = np.std(np.log(lane / (fixed + slope * audio)))
    lone_audio = np.array([heard.clip.seconds for heard in alone])
    lone = np.array([heard.outcome.processing for heard in alone])
    return Machine(
        name=machine.name,
        lanes=machine.lanes,
        fixed=fixed,
        per_audio_second=slope,
        deviation=float(scatter),
        crowding=float((fixed + slope * lone_audio).sum() / lone.sum()) if machine.lanes > 1 else 1.0,
        between=max(0.0, machine.lanes / rate - float(lane.mean())),
        around=median(heard.outcome.seconds - heard.outcome.processing for heard in alone),
        max_queue_seconds=machine.max_queue_seconds,
        request_timeout=machine.request_timeout,
        window_seconds=machine.window_seconds,
    )


async def _hear(client: Client, clips: Sequence[Clip], clients: int, seconds: float, least: int = 0) -> list[Heard]:
    """Let so many clients ask in turn for so many seconds, and for so many clips at least; return the good answers."""
    end = time.perf_counter() + seconds
    turn = count()
    heard: list[Heard] = []

    async def one() -> None:
        while (number := next(turn)) < least or time.perf_counter() < end:
            clip = clips[number % len(clips)]
            heard.append(Heard(clip, await client.transcribe(clip)))

    await asyncio.gather(*(one() for _ in range(clients)))
    summarise([each.outcome for each in heard], 1.0).check()
    return [each for each in heard if each.outcome.kind == "good"]


async def _lanes(client: Client) -> int:
    reply = await client.ask("GET", "/metrics")
    families = text_string_to_metric_families(reply.body.decode("utf-8", "replace") if reply.status == 200 else "")
    ready = [
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "asr_lanes" and sample.labels.get("state") == "ready"
    ]
    if not sum(ready):
        raise UnknownMachine("/metrics does not say how many lanes are ready")
    return int(sum(ready))
