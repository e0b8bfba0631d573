"""A row for each request of a load test: noted as it goes, written as CSV, read again."""

import csv
import itertools
import time
from pathlib import Path

from loadtest.harness.outcomes import Outcome

_FIELDS = ("time", "seconds", "kind", "detail")


class Recorder:
    """Outcomes in seconds since the start. A request that was begun and never ended is lost."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._numbers = itertools.count()
        self._under_way: dict[int, float] = {}
        self._outcomes: list[Outcome] = []

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._started

    def begin(self, due: float) -> int:
        """Note a request, due at that time; return its number."""
        number = next(self._numbers)
        self._under_way[number] = due
        return number

    def end(self, number: int, kind: str, detail: str = "") -> float:
        """Note the answer that came just now; return the latency in seconds."""
        due = self._under_way.pop(number)
        self._outcomes.append(Outcome(due, self.now - due, kind, detail))
        return self._outcomes[-1].seconds

    def write(self, path: Path) -> None:
        """Write times in seconds since the start, latencies in seconds from when a request was due."""
        for number in list(self._under_way):
            self.end(number, "lost", "the test ended first")
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(_FIELDS)
            writer.writerows(
                (f"{each.due:.4f}", f"{each.seconds:.5f}", each.kind, each.detail) for each in self._outcomes
            )


def read_outcomes(path: Path) -> list[Outcome]:
    """Read what was written."""
    with path.open(newline="", encoding="utf-8") as stream:
        return [
            Outcome(float(row["time"]), float(row["seconds"]), row["kind"], row["detail"])
            for row in csv.DictReader(stream)
        ]
