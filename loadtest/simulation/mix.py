"""Who asks, and for how much."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtest.simulation.machine import Machine, Seconds


@dataclass(frozen=True, slots=True)
class Mix:
    """Lengths in seconds, how often each comes, and by how many clients, the most eager of whom asks most."""

    lengths: Sequence[float]
    shares: Sequence[float]
    clients: int = 1000
    eagerness: float = 1.0
    """Exponent of Zipf's law: the second client asks 2 ** -eagerness times as often as the first."""

    def audio(self, requests: int, chance: np.random.Generator) -> Seconds:
        """Draw lengths."""
        shares = np.asarray(self.shares, np.float64)
        return chance.choice(np.asarray(self.lengths, np.float64), requests, p=shares / shares.sum())

    @property
    def mean(self) -> float:
        """Seconds of audio in a request."""
        return float(np.average(self.lengths, weights=self.shares))

    def rate(self, machine: Machine) -> float:
        """Requests a second that a machine can do."""
        each = machine.mean_lane_seconds(np.asarray(self.lengths, np.float64)) + machine.between
        return float(machine.lanes / np.average(each, weights=self.shares))

    def who(self, requests: int, chance: np.random.Generator) -> NDArray[np.int64]:
        """Draw clients."""
        often = np.arange(1, self.clients + 1, dtype=np.float64) ** -self.eagerness
        return chance.choice(self.clients, requests, p=often / often.sum())


CLIPS = Mix(lengths=(1, 2, 3, 5, 8, 12, 15), shares=(10, 20, 20, 25, 15, 7, 3))
"""What people say to a telephone: 4.9 s in the mean, some as long as a window."""
