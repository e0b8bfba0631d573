"""How many replicas so much audio takes, and what an hour of it costs."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loadtest.simulation.machine import Machine
from loadtest.simulation.mix import CLIPS
from loadtest.simulation.situation import Situation, at_load

_PEAK = 2.0  # times the mean of a day
_SPARE = 1.2
_MOST_LOAD = 0.95  # of a fleet: what queues grow beyond that in hours, a run of seconds does not show


@dataclass(frozen=True, slots=True)
class Size:
    """What so much audio takes, at the peak of its day."""

    hours: float
    """Of audio a day."""
    requests_per_second: float
    needed: int
    """Replicas that answer within the goal."""
    replicas: int
    """A fifth more, and one that may die."""
    megabits: float
    """Of WAV (16 kHz, 16 bits) a second."""
    fixed_price: float
    """Of an hour of audio, where as many replicas always run."""
    scaled_price: float
    """The same where replicas follow the hours of the day, likewise with some to spare."""


def sizes(machine: Machine, hours: Sequence[float], vcpu_hour: float, requests: int) -> Iterator[Size]:
    """Find what each needs; `vcpu_hour` is the price of a processor for an hour."""
    for each in hours:
        peak = _PEAK * each * 3600 / 86400
        rate = peak / CLIPS.mean
        needed = _needed(machine, rate, requests)
        replicas, scaled = _planned(needed), sum(_planned(needed * _tide(hour) / _PEAK) for hour in range(24))
        day = vcpu_hour * machine.lanes / each
        yield Size(each, rate, needed, replicas, peak * 0.256, 24 * replicas * day, scaled * day)


def _planned(needed: float) -> int:
    return math.ceil(_SPARE * needed) + 1


def _tide(hour: float) -> float:
    """Load at an hour of the day, as a multiple of the mean: nothing at two in the night, twice as much at 14."""
    return 1 + math.cos(2 * math.pi * (hour - 14) / 24)


def _needed(machine: Machine, rate: float, requests: int) -> int:
    """Least number of replicas that answer so many requests a second within the goal."""

    def passes(replicas: int) -> bool:
        situation = Situation(machine, replicas)
        return at_load(situation, "least connections by weight", rate / situation.capacity, requests).good

    replicas = math.ceil(rate / (_MOST_LOAD * CLIPS.rate(machine)))
    while not passes(replicas):
        replicas += 1
    return replicas
