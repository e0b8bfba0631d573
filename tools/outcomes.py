"""The CSV that a load test leaves behind, read and summed up."""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.statistics import percentile


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a load test is judged by."""

    kinds: Counter[str]
    """Requests by outcome: good, wrong, refused, late, failed, lost."""
    problems: Counter[str]
    """The failed ones by their problem."""
    goodput: float
    """Good answers a second."""
    p50: float
    """Seconds, over the good; so is p95."""
    p95: float
    refused_p99: float
    healthz_p99: float

    @property
    def passed(self) -> bool:
        """Every request was answered, and every text was right."""
        return not (self.kinds["wrong"] or self.kinds["lost"] or self.kinds["healthz-failed"])

    def __str__(self) -> str:
        counts = self.kinds
        admitted = counts["good"] + counts["late"] + counts["wrong"] + counts["failed"]
        missed = counts["late"] / admitted if admitted else 0.0
        failed = ", ".join(f"{count} {problem}" for problem, count in sorted(self.problems.items())) or "0"
        return (
            f"goodput {self.goodput:.2f}/s  p50 {self.p50:.2f} s  p95 {self.p95:.2f} s  "
            f"429: {counts['refused']}, p99 {1000 * self.refused_p99:.0f} ms  "
            f"healthz p99 {1000 * self.healthz_p99:.1f} ms  "
            f"deadline misses {counts['late']} ({missed:.1%} of admitted)  failed {failed}  "
            f"lost {counts['lost']}  wrong texts {counts['wrong']}"
        )


def read_outcomes(path: Path) -> list[dict[str, str | float]]:
    """Rows of time, seconds, kind, detail."""
    with path.open(newline="", encoding="utf-8") as stream:
        return [{**row, "time": float(row["time"]), "seconds": float(row["seconds"])} for row in csv.DictReader(stream)]


def judge(rows: Sequence[dict[str, str | float]], seconds: float) -> Verdict:
    """Sum up a test that sent for so many seconds."""
    kinds = Counter(str(row["kind"]) for row in rows)
    latencies = {kind: [float(row["seconds"]) for row in rows if row["kind"] == kind] for kind in kinds}
    good = latencies.get("good", [])
    in_time = sum(float(row["time"]) + float(row["seconds"]) <= seconds for row in rows if row["kind"] == "good")
    return Verdict(
        kinds=kinds,
        problems=Counter(str(row["detail"]) for row in rows if row["kind"] == "failed"),
        goodput=in_time / seconds,
        p50=percentile(good, 50),
        p95=percentile(good, 95),
        refused_p99=percentile(latencies.get("refused", []), 99),
        healthz_p99=percentile(latencies.get("healthz", []), 99),
    )
