"""Simulated time: a heap. SimPy would do it with a generator for each request, of which a fleet has millions."""

import math
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any


class Events:
    """What will happen, in its order; `now` is in seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._numbers = count()

    def at(self, when: float, action: Callable[..., object], *arguments: Any) -> None:
        """Let something happen at that time; of what happens at once, the first that was asked for comes first."""
        heappush(self._heap, (when, next(self._numbers), action, arguments))

    def run(self, until: float = math.inf) -> None:
        """Let everything happen, until that time at most."""
        while self._heap and self._heap[0][0] <= until:
            self.now, _, action, arguments = heappop(self._heap)
            action(*arguments)
