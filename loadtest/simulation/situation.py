"""A fleet, what it is asked for, and whether it answers well."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loadtest.harness.outcomes import Outcome
from loadtest.harness.statistics import percentile
from loadtest.simulation.fleet import Fleet, Routing
from loadtest.simulation.machine import Machine
from loadtest.simulation.mix import CLIPS, Mix
from loadtest.simulation.work import draw, strangers

_GOAL_SECONDS = 1.0
_MOST_REFUSED = 0.001
_SETTLING = 0.25  # of each run, not judged: it begins with empty queues
_LEAST_SECONDS = 8.0  # of a run


@dataclass(frozen=True, slots=True)
class Situation:
    """A fleet and what it is asked for."""

    machine: Machine
    replicas: int
    mix: Mix = CLIPS
    speeds: Sequence[float] = ()
    balancers: int = 1

    @property
    def capacity(self) -> float:
        """Requests a second that the lanes can do."""
        speeds = sum(self.speeds) + self.replicas - len(self.speeds)
        return speeds * self.mix.rate(self.machine)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of clips; recordings are not judged by their time."""

    p50: float
    p99: float
    refused: float
    """Share of all."""

    @property
    def good(self) -> bool:
        """Whether the 99th percentile is within a second and next to nothing is refused."""
        return self.p99 <= _GOAL_SECONDS and self.refused <= _MOST_REFUSED


def at_load(situation: Situation, policy: str, load: float, requests: int, seed: int = 1) -> Judgement:
    """Let about so many requests come, at that multiple of what the lanes can do."""
    rate = load * situation.capacity
    seconds = max(_LEAST_SECONDS, requests / rate)
    chance = np.random.default_rng(seed)
    work = draw(situation.machine, situation.mix, strangers(rate, seconds, chance), chance)
    fleet = Fleet(situation.machine, situation.replicas, Routing(policy, situation.balancers), speeds=situation.speeds)
    return _judge(fleet.run(work), _SETTLING * seconds)


def _judge(outcomes: Sequence[Outcome], since: float) -> Judgement:
    """Judge what came since that time; what is late counts as refused."""
    chosen = [outcome for outcome in outcomes if outcome.due >= since and not outcome.detail]
    good = [outcome.seconds for outcome in chosen if outcome.kind == "good"]
    return Judgement(percentile(good, 50), percentile(good, 99), 1 - len(good) / max(1, len(chosen)))
