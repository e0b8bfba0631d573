"""Which balancer needs the fewest replicas."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from loadtest.simulation.machine import Machine
from loadtest.simulation.mix import CLIPS, Mix
from loadtest.simulation.situation import Situation, at_load

_PRECISION = 0.02
_CALLS = Mix(
    lengths=(*CLIPS.lengths, 600.0),
    shares=(*(0.995 * share / sum(CLIPS.shares) for share in CLIPS.shares), 0.005),
)
"""One request in 200 is a call of ten minutes: two fifths of all audio."""


def situations(machine: Machine) -> Mapping[str, Situation]:
    """Fleets of 16 lanes in which balancers fare differently, by name."""
    alike = Situation(machine.with_lanes(2), 8)
    return {
        "8 replicas of 2 lanes": alike,
        "2 of 8": Situation(machine.with_lanes(8), 2),
        "8 of 2, one at half speed": replace(alike, speeds=(0.5,)),
        "8 of 2, calls among clips": replace(alike, mix=_CALLS),
        "8 of 2, four balancers": replace(alike, balancers=4),
    }


def highest_load(situation: Situation, policy: str, requests: int) -> float:
    """Load at which clips are still answered within the goal, as a share of what the lanes can do."""
    return highest(lambda load: at_load(situation, policy, load, requests).good)


def highest(passes: Callable[[float], bool], low: float = 0.0, high: float = 1.0) -> float:
    """Find the highest number between both that passes, by bisection; `low` where none does."""
    while high - low > _PRECISION:
        middle = (low + high) / 2
        low, high = (middle, high) if passes(middle) else (low, middle)
    return low
