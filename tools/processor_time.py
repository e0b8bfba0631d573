"""Who had the processors, as Linux tells it: what a noisy neighbour does to a rate, it does not do to these shares."""

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import psutil


class ProcessorTime:
    """Shares of the time of so many processors that groups of processes took, for the length of a `with` block."""

    def __init__(self, processors: int, groups: Mapping[str, Sequence[int]]) -> None:
        """`groups` are process ids by name; they live until the block ends."""
        self._processors = processors
        self._groups = {name: [psutil.Process(pid) for pid in pids] for name, pids in groups.items()}
        self.shares: dict[str, float] = {}
        """Percent of all processors' time, by group."""

    def __enter__(self) -> Self:
        self._started, self._before = time.perf_counter(), self._seconds()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        offered = (time.perf_counter() - self._started) * self._processors
        after = self._seconds()
        self.shares = {name: 100 * (after[name] - before) / offered for name, before in self._before.items()}

    def _seconds(self) -> dict[str, float]:
        times = {name: [process.cpu_times() for process in group] for name, group in self._groups.items()}
        return {name: sum(each.user + each.system for each in group) for name, group in times.items()}
