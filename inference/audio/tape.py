"""The last features of a recording, by their places in the whole."""

from collections import deque

import numpy as np

from inference.types import Features


class FeatureTape:
    """All places are frames from the beginning."""

    def __init__(self) -> None:
        self._blocks: deque[Features] = deque()
        self._first = 0
        self.end = 0
        """Frames that have come."""

    def append(self, features: Features) -> None:
        """Go on by these."""
        self._blocks.append(features)
        self.end += features.power.size

    def read(self, start: int, end: int) -> Features:
        """A copy of those in between."""
        between = slice(start - self._first, end - self._first)
        log_mel = np.concatenate([block.log_mel for block in self._blocks], axis=1)[:, between]
        return Features(log_mel, np.concatenate([block.power for block in self._blocks])[between])

    def drop_before(self, position: int) -> None:
        """Forget what lies before, as far as whole blocks do."""
        while self._blocks and self._first + self._blocks[0].power.size <= position:
            self._first += self._blocks.popleft().power.size
