"""The one judge of what became of a request, and the sum of many."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from loadtest.harness.statistics import percentile

_NOT_IN_LANES = {"queue", "total"}  # of an answer's `processing`


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request."""

    due: float
    """When it was to be sent, in seconds of the caller's clock: latency counts from here, however late it was sent."""
    seconds: float
    """Latency."""
    kind: str
    """good, wrong, refused, late, failed or lost (see `judge`); healthz or healthz-failed for a probe's question."""
    detail: str = ""
    processing: float = 0.0
    """Seconds of work inside the lane, by the server's own account; 0 where there is none."""

    @property
    def done(self) -> float:
        """When the answer was there."""
        return self.due + self.seconds


class WrongText(Exception):
    """The server answered another text than the library."""


@dataclass(frozen=True, slots=True)
class Summary:
    """All requests of some seconds."""

    kinds: Counter[str]
    """Requests by kind."""
    problems: Counter[str]
    """The failed ones by their problem."""
    goodput: float
    """Good answers a second that came within the time."""
    p50: float
    """Seconds, over the good; so is p95."""
    p95: float
    refused_p99: float
    healthz_p99: float

    @property
    def sent(self) -> int:
        """Clips."""
        return self.kinds.total() - self.kinds["healthz"] - self.kinds["healthz-failed"]

    @property
    def passed(self) -> bool:
        """At least one text was right and none wrong, every request was answered, and the server lived."""
        counts = self.kinds
        return bool(counts["good"]) and not (counts["wrong"] or counts["lost"] or counts["healthz-failed"])

    def check(self) -> "Summary":
        """Return itself; raise WrongText where a text was wrong."""
        if wrong := self.kinds["wrong"]:
            raise WrongText(f"{wrong} of {self.sent} texts differ from the library's; is it the same model?")
        return self

    def __str__(self) -> str:
        counts = self.kinds
        admitted = counts["good"] + counts["late"] + counts["wrong"] + counts["failed"]
        missed = counts["late"] / admitted if admitted else 0.0
        failed = ", ".join(f"{count} {problem}" for problem, count in sorted(self.problems.items())) or "0"
        refused = f", p99 {1000 * self.refused_p99:.0f} ms" if counts["refused"] else ""
        healthz = f"healthz p99 {1000 * self.healthz_p99:.1f} ms  " if counts["healthz"] else ""
        return (
            f"goodput {self.goodput:.2f}/s  p50 {self.p50:.2f} s  p95 {self.p95:.2f} s  "
            f"429: {counts['refused']}{refused}  {healthz}"
            f"deadline misses {counts['late']} ({missed:.1%} of {admitted} admitted)  failed {failed}  "
            f"lost {counts['lost']}  wrong texts {counts['wrong']}"
        )


def judge(status: int, body: bytes | str | None, text: str, duration: float | None = None) -> tuple[str, str, float]:
    """Name the kind of outcome of `POST /transcribe`, what there is to say about it, and seconds of processing.

    good: the expected text and, where one is given, the expected duration. wrong: another one. refused: 429. late: 504.
    failed: any other answer. lost: no answer at all (status 0).
    """
    if not status:
        return "lost", "", 0.0
    content = _parse(body)
    if status != 200:
        problem = str(content.get("type", status)).rpartition("/")[2]
        return {429: "refused", 504: "late"}.get(status, "failed"), problem, 0.0
    found = content.get("text"), content.get("duration")
    if found[0] != text or (duration is not None and found[1] != duration):
        return "wrong", f"{found}, not {(text, duration)}", 0.0
    stages = content.get("processing") or {}
    return "good", "", sum(seconds for stage, seconds in stages.items() if stage not in _NOT_IN_LANES)


def summarise(outcomes: Sequence[Outcome], seconds: float, start: float | None = None) -> Summary:
    """Sum up what was sent in so many seconds from `start`, by the clock of the outcomes; by default from the first."""
    if start is None:
        start = min((outcome.due for outcome in outcomes), default=0.0)
    latencies: dict[str, list[float]] = {}
    for outcome in outcomes:
        latencies.setdefault(outcome.kind, []).append(outcome.seconds)
    in_time = sum(outcome.kind == "good" and start <= outcome.done <= start + seconds for outcome in outcomes)
    good = latencies.get("good", [])
    return Summary(
        kinds=Counter(outcome.kind for outcome in outcomes),
        problems=Counter(outcome.detail for outcome in outcomes if outcome.kind == "failed"),
        goodput=in_time / seconds,
        p50=percentile(good, 50),
        p95=percentile(good, 95),
        refused_p99=percentile(latencies.get("refused", []), 99),
        healthz_p99=percentile(latencies.get("healthz", []), 99),
    )


def _parse(body: bytes | str | None) -> dict[str, Any]:
    try:
        content = json.loads(body or "{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
