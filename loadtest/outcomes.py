"""What became of each request: judged in one place, kept as one row."""

import csv
import itertools
import json
import time
from pathlib import Path
from typing import Any

FIELDS = ("time", "seconds", "kind", "detail")


class Outcomes:
    """Rows of every request; written as CSV at the end. A request that was begun and never ended is lost."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._numbers = itertools.count()
        self._under_way: dict[int, float] = {}
        self._rows: list[tuple[float, float, str, str]] = []

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
        seconds = self.now - due
        self._rows.append((due, seconds, kind, detail))
        return seconds

    def write(self, path: Path) -> None:
        """Times in seconds since the start, latencies in seconds from when a request was due."""
        for number in list(self._under_way):
            self.end(number, "lost", "the test ended first")
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(FIELDS)
            for due, seconds, kind, detail in self._rows:
                writer.writerow((f"{due:.4f}", f"{seconds:.5f}", kind, detail))


def judge(status: int, body: bytes | str | None, expected: str) -> tuple[str, str]:
    """Name the kind of outcome of `POST /transcribe`, and what there is to say about it.

    good: the expected text. wrong: another text. refused: 429. late: 504. failed: any other answer.
    lost: no answer at all (status 0).
    """
    if not status:
        return "lost", ""
    content = _parse(body)
    if status == 200:
        text = content.get("text")
        return ("good", "") if text == expected else ("wrong", f"{text!r}, not {expected!r}")
    problem = str(content.get("type", status)).rpartition("/")[2]
    return {429: "refused", 504: "late"}.get(status, "failed"), problem


def _parse(body: bytes | str | None) -> dict[str, Any]:
    try:
        content = json.loads(body or "{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
