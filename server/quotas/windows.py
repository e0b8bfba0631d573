"""Sliding windows: how much of one is used, and when there will be room.

What was counted in the window before this one counts as far as it would lie within the last window's time, were it
evenly spread, so that no boundary lets through twice as much. `limits` calls it the sliding window counter.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """Two windows of so many seconds, the current one and the one before it."""

    length: int
    previous: int
    current: int
    age: float
    """Seconds since the current one began, below its length."""

    @property
    def used(self) -> float:
        """How much counts now."""
        return self.previous * (1 - self.age / self.length) + self.current

    def seconds_until(self, most: float) -> float:
        """Return after how many seconds no more than `most` counts, if nothing comes meanwhile; infinite below 0."""
        if most < 0:
            return math.inf
        if self.used <= most:
            return 0.0
        if self.current <= most:
            return self.length * (1 - (most - self.current) / self.previous) - self.age
        return self.length - self.age + self.length * (1 - most / self.current)

    def with_more(self, amount: int) -> "Window":
        """Return it with an amount counted; a negative one takes back, also from the previous window, but never more.

        Whoever has something taken back after the boundary would else have it twice.
        """
        current = self.current + amount
        return Window(self.length, max(0, self.previous + min(0, current)), max(0, current), self.age)

    def later(self, seconds: float) -> "Window":
        """Return it as it is after so many seconds more."""
        passed, age = divmod(self.age + seconds, self.length)
        if passed == 0:
            return Window(self.length, self.previous, self.current, age)
        return Window(self.length, self.current if passed == 1 else 0, 0, age)
