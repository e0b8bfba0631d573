"""Time that a process ran: a suspended one (SIGSTOP, a laptop asleep) does not spend its budget."""

from __future__ import annotations

import threading
import time


class RunningClock:
    """Seconds since the start, without the gaps in which the whole process stood still.

    A thread looks at the time twice a second; whatever passed between two looks beyond `longest` is a gap.
    """

    def __init__(self, every: float = 0.5, longest: float = 2.0) -> None:
        """Start counting."""
        self._every, self._longest = every, longest
        self._seconds, self._last = 0.0, time.monotonic()
        self._lock = threading.Lock()
        threading.Thread(target=self._look_often, name="clock", daemon=True).start()

    def seconds(self) -> float:
        """Running time so far."""
        with self._lock:
            now = time.monotonic()
            self._seconds += min(now - self._last, self._longest)
            self._last = now
            return self._seconds

    def _look_often(self) -> None:
        while True:
            time.sleep(self._every)
            self.seconds()
