"""Who sends a request where.

Each balancer knows what it has sent itself and has no answer to yet, and, now and then, what replicas say of
themselves. Seconds are those of audio, which a balancer can tell from the size of a body.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from loadtest.simulation.machine import Seconds

_LEAST_WEIGHT = 0.01


class Balancer:
    """One of those that stand before the replicas; all arrays are `[replicas]`."""

    def __init__(self, replicas: int, lanes: int, policy: "Policy", chance: np.random.Generator) -> None:
        """Of so many replicas at most, each with so many `lanes`; those that are `ready` get requests."""
        self._policy = policy
        self.lanes = lanes
        self.chance = chance
        self.connections: Seconds = np.zeros(replicas)
        """Requests under way, of this balancer."""
        self.seconds: Seconds = np.zeros(replicas)
        """Seconds of audio in them."""
        self.weights: Seconds = np.ones(replicas)
        """By the replicas' last word: 1 where nothing waits, 0 where the predicted wait is the longest allowed."""
        self.ready: Sequence[int] = range(replicas)
        self.turn = 0
        self._last: Seconds = np.zeros(replicas)
        """When each was chosen last: among equals it is the one that had none for longest."""
        self._shut: Seconds = np.zeros(replicas)

    def serve(self, ready: Sequence[int]) -> None:
        """Send to these from now on."""
        self.ready = ready
        self._shut[:] = np.inf
        self._shut[list(ready)] = 0.0

    def route(self, audio: float) -> int:
        """Choose a replica for a request of so many seconds."""
        self.turn += 1
        chosen = self._policy(self)
        self._last[chosen] = self.turn
        self.connections[chosen] += 1
        self.seconds[chosen] += audio
        return chosen

    def answered(self, replica: int, audio: float) -> None:
        """It has its answer."""
        self.connections[replica] -= 1
        self.seconds[replica] -= audio

    def least(self, of: Seconds) -> int:
        """The ready one with the least of something."""
        return int(np.argmin(of + self._shut + 1e-12 * self._last))


Policy = Callable[[Balancer], int]


def _round_robin(balancer: Balancer) -> int:
    return balancer.ready[balancer.turn % len(balancer.ready)]


def _at_random(balancer: Balancer) -> int:
    return balancer.ready[int(balancer.chance.integers(len(balancer.ready)))]


def _better_of_two(balancer: Balancer) -> int:
    one, other = _at_random(balancer), _at_random(balancer)
    return other if balancer.connections[other] < balancer.connections[one] else one


def _least_connections(balancer: Balancer) -> int:
    return balancer.least(balancer.connections)


def _least_seconds_queued(balancer: Balancer) -> int:
    # Where a lane is free nothing waits, however long the clips are that the others have.
    return balancer.least(balancer.seconds * (balancer.connections >= balancer.lanes))


def _highest_weight(balancer: Balancer) -> int:
    return balancer.least(-balancer.weights)


def _weighted_connections(balancer: Balancer) -> int:
    return balancer.least((balancer.connections + 1) / np.maximum(_LEAST_WEIGHT, balancer.weights))


POLICIES: Mapping[str, Policy] = {
    "round robin": _round_robin,
    "random": _at_random,
    "better of two at random": _better_of_two,
    "least connections": _least_connections,
    "least connections by weight": _weighted_connections,
    "least seconds queued": _least_seconds_queued,
    "highest weight": _highest_weight,
}
"""By name. The third is HAProxy's `random(2)`, the fourth its `leastconn`, the fifth that of deploy/haproxy."""
