"""What was wanted, beside what was measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks import contestants
from benchmarks.compared import NEMO, ONNX_ASR, OURS, OURS_INT8, SHERPA, Compared
from benchmarks.fairness import Waits
from benchmarks.lanes import Lanes
from benchmarks.serving import Comparison
from benchmarks.spread import Spread, ratios, spread
from benchmarks.tables import health_p99, table


@dataclass(frozen=True, slots=True)
class Goal:
    """One row."""

    name: str
    bound: float | None
    """Nothing was promised where there is none."""
    found: Sequence[Spread]
    """One for each length of audio; one alone where there are no lengths."""
    at_least: bool = True
    unit: str = ""

    @property
    def wanted(self) -> str:
        """In words."""
        return "" if self.bound is None else f"{'≥' if self.at_least else '≤'} {self.bound:g}{self.unit}"

    def met(self, found: Spread) -> bool:
        """Whether a median keeps the promise."""
        return self.bound is None or (found.median >= self.bound if self.at_least else found.median <= self.bound)


def of_library(run: Compared) -> str:
    """A table with a column for each length."""
    peers = [name for name in (SHERPA, ONNX_ASR, NEMO) if name in run.names]
    everybody = [name for name in run.names if any(name.startswith(peer) for peer in peers)]
    ours = [name for name in (OURS, OURS_INT8) if name in run.names]

    def each(measure: Callable[[float], Spread]) -> list[Spread]:
        return [measure(seconds) for seconds in run.lengths]

    def gains(mine: Sequence[str], theirs: Sequence[str], *, full: bool = True) -> list[Spread]:
        return each(lambda seconds: run.gain(seconds, mine, theirs, full=full))

    def best(seconds: float) -> Spread:
        return run.share(seconds, min(ours, key=lambda name: run.full(seconds, name).median))

    goals = []
    if SHERPA in peers:
        goals.append(Goal("this library ÷ sherpa-onnx, fp32, full load", 1.6, gains([OURS], [SHERPA])))
        goals.append(Goal("the same, one client", 1.6, gains([OURS], [SHERPA], full=False)))
    if peers:
        goals.append(Goal("this library ÷ the best peer, fp32, full load", 1.25, gains([OURS], peers)))
        goals.append(Goal("the same, one client", 1.25, gains([OURS], peers, full=False)))
        goals.append(Goal("the same, any precision, full load", 1.25, gains(ours, everybody)))
        goals.append(Goal("the same, any precision, one client", 1.25, gains(ours, everybody, full=False)))
    goals.append(Goal("share of the limit, fp32", 0.88, each(lambda seconds: run.share(seconds, OURS))))
    goals.append(Goal("share of the fp32 limit, best precision", 1.25, each(best)))
    goals.append(Goal("time outside ONNX Runtime, fp32", 5, each(run.outside), at_least=False, unit=" %"))
    head = ["goal", "wanted", *(f"{seconds:g} s" for seconds in run.lengths), "met"]
    return table(head, [[goal.name, goal.wanted, *map(str, goal.found), _where(goal, run.lengths)] for goal in goals])


def of_server(run: Compared, served: Comparison | None, waits: Waits | None, lanes: Lanes | None) -> str:
    """A table with one measurement in each row; empty where nothing of it was measured."""
    goals = _servers(run, served) if served else []
    if waits:
        fair = ratios(waits.fair, waits.one_client)
        goals.append(
            Goal("p95 of short clips beside a flood: fair ÷ first come, first served", 0.5, [fair], at_least=False)
        )
    if lanes:
        goals.append(
            Goal("start of a lane to its first answer", 1.5, [spread(lanes.starts)], at_least=False, unit=" s")
        )
    if lanes and lanes.further:
        goals.append(Goal("PSS of a further lane", 60, [spread(lanes.further)], at_least=False, unit=" MiB"))
    rows = [[goal.name, goal.wanted, str(goal.found[0]), _yes(goal)] for goal in goals]
    return table(["goal", "wanted", "measured", "met"], rows) if rows else ""


def _servers(run: Compared, served: Comparison) -> list[Goal]:
    turns = served.turns
    ours = turns[contestants.OURS]
    goals = [
        Goal(f"this server ÷ {name}, full load", 1.5, [ratios(ours.rates, found.rates)])
        for name, found in turns.items()
        if name not in (contestants.OURS, contestants.OURS_INT8, contestants.SHERPA_INT8)
    ]
    if (contestants.OURS_INT8 in turns) and (theirs := turns.get(contestants.SHERPA_INT8)):
        mine = turns[contestants.OURS_INT8]
        goals.append(Goal("the same against sherpa-onnx's, both int8", 1.5, [ratios(mine.rates, theirs.rates)]))
    original = turns[contestants.ORIGINAL]
    goals.append(
        Goal(
            "`/healthz` p99 at full load: the original ÷ this server",
            20,
            [ratios(health_p99(original), health_p99(ours))],
        )
    )
    if contestants.SHERPA in turns and SHERPA in run.names:
        gain = ratios(ours.rates, turns[contestants.SHERPA].rates)
        length = min(run.lengths, key=lambda seconds: abs(seconds - served.load.clip_seconds))
        by = run.gain(length, [OURS], [SHERPA]).median
        relative = Spread(gain.median / by, gain.low / by, gain.high / by)
        goals.append(Goal(f"gain over sherpa-onnx at {length:g} s: server's ÷ library's", None, [relative]))
    return goals


def _where(goal: Goal, lengths: Sequence[float]) -> str:
    met = [f"{seconds:g}" for seconds, found in zip(lengths, goal.found, strict=True) if goal.met(found)]
    if len(met) == len(lengths):
        return "yes"
    return f"at {', '.join(met)} s" if met else "no"


def _yes(goal: Goal) -> str:
    return "" if goal.bound is None else "yes" if goal.met(goal.found[0]) else "no"
