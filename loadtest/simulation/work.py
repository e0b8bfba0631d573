"""What is asked of servers: when, by whom, how long, and what it takes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtest.simulation.machine import Machine, Seconds
from loadtest.simulation.mix import Mix

_THINNING_STEPS = 1000


@dataclass(frozen=True, slots=True)
class Work:
    """Requests in their order; all arrays are `[requests]`."""

    at: Seconds
    """When they come."""
    audio: Seconds
    """Seconds of audio."""
    lane: Seconds
    """Lane seconds that they take while all lanes work."""
    client: NDArray[np.int64]
    """By whom."""

    @property
    def size(self) -> int:
        """How many."""
        return self.at.size


def strangers(rate: float, seconds: float, chance: np.random.Generator) -> Seconds:
    """Times at which `rate` independent requests a second come (a Poisson process), `[requests]`."""
    return np.sort(chance.uniform(0.0, seconds, chance.poisson(rate * seconds)))


def tide(rate: Callable[[float], float], seconds: float, chance: np.random.Generator) -> Seconds:
    """The same for a rate that changes with time, by thinning (Lewis and Shedler, 1979)."""
    most = max(rate(seconds * step / _THINNING_STEPS) for step in range(_THINNING_STEPS + 1))
    times = strangers(most, seconds, chance)
    kept = chance.uniform(0.0, most, times.size) < [rate(time) for time in times]
    return times[kept]


def draw(machine: Machine, mix: Mix, at: Seconds, chance: np.random.Generator) -> Work:
    """Give each arrival its length, its client and its lane seconds."""
    audio = mix.audio(at.size, chance)
    return Work(at, audio, machine.lane_seconds(audio, chance), mix.who(at.size, chance))
