"""Replicas that come and go with the work, by the rule of Kubernetes' HorizontalPodAutoscaler.

Wanted are `replicas × signal ÷ target`, where that differs by a tenth. Up it goes to twice as many in half a minute,
down by one in a minute and to no less than was wanted at any time in the last five, as the chart in deploy/helm has it.
New replicas serve when they have started; those that are taken away get nothing new and finish what they have.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from loadtest.simulation.fleet import Fleet

_TOLERANCE = 0.1
_UP_SECONDS, _DOWN_SECONDS = 30.0, 60.0


Signal = Literal["wait", "busy", "demand"]
"""Predicted wait in seconds; lane seconds that were worked, and that were asked for, in each second of a lane."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """Settings; times are in seconds."""

    targets: Mapping[Signal, float]
    """What each signal shall be in the mean of all replicas that serve; the one that wants more of them decides."""
    start_seconds: float
    """From the wish for a replica until it serves: a processor found, an image pulled, lanes ready."""
    every: float = 15.0
    window: float = 60.0
    """Over which work is averaged, as Prometheus' `rate` does."""
    steady_seconds: float = 300.0
    least: int = 2


class Autoscaler:
    """Begins to watch over a fleet that has not run yet."""

    def __init__(self, fleet: Fleet, scaling: Scaling) -> None:
        self._fleet, self._scaling = fleet, scaling
        self._wished = len(fleet.ready)
        self._wanted = [(0.0, self._wished)]
        self._wishes = [(0.0, self._wished)]
        self._seen: deque[list[tuple[float, float]]] = deque(maxlen=max(2, round(scaling.window / scaling.every) + 1))
        self._signals: Mapping[Signal, Callable[[], float]] = {
            "wait": self._wait,
            "busy": lambda: self._lane_share(0),
            "demand": lambda: self._lane_share(1),
        }
        self.history: list[tuple[float, int]] = [(0.0, len(fleet.ready))]
        """How many served from when on."""
        self._look_at_work()
        fleet.every(scaling.every, self._look)

    def _look_at_work(self) -> None:
        self._seen.append([(replica.worked, replica.asked) for replica in self._fleet.replicas])

    def _look(self) -> None:
        self._look_at_work()
        now, scaling = self._fleet.events.now, self._scaling
        ratio = max(self._signals[signal]() / target for signal, target in scaling.targets.items())
        wanted = self._wished
        if abs(ratio - 1) > _TOLERANCE:
            wanted = math.ceil(len(self._fleet.ready) * ratio)
        self._wanted.append((now, wanted))
        if wanted < self._wished:
            steady = max(_since(now - scaling.steady_seconds, self._wanted))
            wanted = max(min(self._wished, steady), max(_since(now - _DOWN_SECONDS, self._wishes)) - 1)
        most = min(len(self._fleet.replicas), 2 * min(_since(now - _UP_SECONDS, self._wishes)))
        self._wish(max(scaling.least, min(most, wanted)))
        self._wishes.append((now, self._wished))

    def _wait(self) -> float:
        ready = self._fleet.ready
        return sum(self._fleet.replicas[index].wait_of_all() for index in ready) / len(ready)

    def _lane_share(self, what: int) -> float:
        ready, (before, after) = self._fleet.ready, (self._seen[0], self._seen[-1])
        seconds = (len(self._seen) - 1) * self._scaling.every
        lane_seconds = sum(after[index][what] - before[index][what] for index in range(len(after)))
        return lane_seconds / (seconds * self._fleet.machine.lanes * len(ready))

    def _wish(self, replicas: int) -> None:
        if replicas < len(self._fleet.ready):
            self._serve(replicas)
        elif replicas > self._wished:
            self._fleet.events.at(self._fleet.events.now + self._scaling.start_seconds, self._started, replicas)
        self._wished = replicas

    def _started(self, replicas: int) -> None:
        """As many as were wished for then, and still are."""
        if min(replicas, self._wished) > len(self._fleet.ready):
            self._serve(min(replicas, self._wished))

    def _serve(self, replicas: int) -> None:
        self._fleet.serve(range(replicas))
        self.history.append((self._fleet.events.now, replicas))


def _since(when: float, numbers: list[tuple[float, int]]) -> list[int]:
    """What was so from then on, which began at its time and ended with the next."""
    first = max((index for index, (at, _) in enumerate(numbers) if at <= when), default=0)
    return [number for _, number in numbers[first:]]


def replica_seconds(history: list[tuple[float, int]], until: float) -> float:
    """Sum of the time that each replica served, `history` being that of an autoscaler."""
    ends = [at for at, _ in history[1:]] + [until]
    return sum(number * (end - at) for (at, number), end in zip(history, ends, strict=True))
