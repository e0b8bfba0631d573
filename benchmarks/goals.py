"""What was wanted, beside what was measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.accuracy import Texts
from benchmarks.compared import OURS, OURS_FP32, PEERS_FP32, SHERPA, Compared
from benchmarks.spread import Spread
from benchmarks.tables import table


@dataclass(frozen=True, slots=True)
class Goal:
    """One row."""

    name: str
    bound: float | None
    """Nothing was promised where there is none."""
    at_least: bool = True
    unit: str = ""

    @property
    def wanted(self) -> str:
        """In words."""
        return "" if self.bound is None else f"{'≥' if self.at_least else '≤'} {self.bound:g}{self.unit}"

    def met(self, found: Spread) -> str:
        """Say whether a median keeps the promise."""
        if self.bound is None:
            return ""
        return "yes" if (found.median >= self.bound if self.at_least else found.median <= self.bound) else "no"


def of_library(run: Compared, texts: Texts) -> str:
    """A table with a column for each length."""
    head = ["goal", "wanted", *(f"{seconds:g} s" for seconds in run.lengths), f"met at {run.main:g} s", "WER, %"]
    rows = [*_gains(run, texts, full=True), *_gains(run, texts, full=False), *_shares(run)]
    return table(head, rows)


def _gains(run: Compared, texts: Texts, *, full: bool) -> list[list[str]]:
    """Rows of ratios; every other one compares fp32 with fp32."""
    load = "full load" if full else "one client"
    fp32 = [name for name in PEERS_FP32 if name in run.names]
    able = [name for name in run.peers() if texts.counts(name)]
    rows = []
    if SHERPA in fp32:
        rows.append((Goal(f"this library ÷ sherpa-onnx in fp32, {load}", 1.6), OURS, [SHERPA]))
        rows.append((Goal(f"fp32 ÷ fp32: the same, {load}", None), OURS_FP32, [SHERPA]))
    if able:
        rows.append((Goal(f"this library ÷ the fastest peer that counts, {load}", 1.25), OURS, able))
        rows.append((Goal(f"this library ÷ the fastest peer, whatever its WER, {load}", None), OURS, run.peers()))
    if fp32:
        rows.append((Goal(f"fp32 ÷ fp32: the fastest peer, {load}", None), OURS_FP32, fp32))

    def row(goal: Goal, ours: str, theirs: Sequence[str]) -> list[str]:
        against = run.fastest(run.main, theirs, full=full)
        return _row(
            run,
            goal,
            lambda seconds: run.gain(seconds, ours, theirs, full=full),
            f"{percent(texts, ours)}; {against}: {percent(texts, against)}",
        )

    return [row(*each) for each in rows]


def _shares(run: Compared) -> list[list[str]]:
    share, best = Goal("share of the limit, fp32", 0.88), Goal("share of the fp32 limit, this library", 1.25)
    outside = Goal("time outside ONNX Runtime", 5, at_least=False, unit=" %")
    return [
        _row(run, share, lambda seconds: run.share(seconds, OURS_FP32)),
        _row(run, best, lambda seconds: run.share(seconds, OURS)),
        _row(run, outside, lambda seconds: run.outside(seconds, OURS)),
        _row(run, Goal("the same in fp32", None), lambda seconds: run.outside(seconds, OURS_FP32)),
    ]


def _row(run: Compared, goal: Goal, measure: Callable[[float], Spread], words: str = "") -> list[str]:
    found = {seconds: measure(seconds) for seconds in run.lengths}
    return [goal.name, goal.wanted, *map(str, found.values()), goal.met(found[run.main]), words]


def percent(texts: Texts, name: str) -> str:
    """A program's word error rate over all sets."""
    found = texts.wer(name)
    return "not asked" if found is None else f"{found:.1f}"
