"""What was wanted of the server, beside what was measured."""

from collections.abc import Sequence

from benchmarks import contestants
from benchmarks.accuracy import Texts
from benchmarks.compared import OURS, OURS_FP32, SHERPA, Compared
from benchmarks.fairness import Waits
from benchmarks.goals import Goal, percent
from benchmarks.lanes import Lanes
from benchmarks.serving import Comparison
from benchmarks.spread import Spread, ratios, spread
from benchmarks.tables import health_p99, table

_Row = tuple[Goal, Spread, str]


def of_server(run: Compared, texts: Texts, served: Comparison | None, waits: Waits | None, lanes: Lanes | None) -> str:
    """A table with one measurement in each row; empty where nothing of it was measured."""
    found = [*_capacities(texts, served), *_others(run, served)] if served else []
    if waits:
        goal = Goal("p95 of short clips beside a flood: fair ÷ first come, first served", 0.5, at_least=False)
        found.append((goal, ratios(waits.fair, waits.one_client), ""))
    if lanes:
        goal = Goal("start of a lane to its first answer", 1.5, at_least=False, unit=" s")
        found.append((goal, spread(lanes.starts), ""))
    if lanes and lanes.further:
        goal = Goal("PSS of a further lane", 60, at_least=False, unit=" MiB")
        found.append((goal, spread(lanes.further), ""))
    rows = [[goal.name, goal.wanted, str(value), goal.met(value), words] for goal, value, words in found]
    return table(["goal", "wanted", "measured", "met", "WER, %"], rows) if rows else ""


def _capacities(texts: Texts, served: Comparison) -> list[_Row]:
    """Ratios at full load; fp32 ÷ fp32 stands beneath."""
    ours, ours_fp32, original = contestants.OURS, contestants.OURS_FP32, contestants.ORIGINAL
    wanted: list[tuple[str, float | None, str, Sequence[str]]] = [
        (f"this server ÷ {original}", 1.5, ours, [original]),
        (f"fp32 ÷ fp32: {original}", None, ours_fp32, [original]),
    ]
    for name in (contestants.SHERPA, contestants.THREAD_POOL, contestants.LITSERVE):
        both = [one for one in (name, contestants.int8(name)) if one in served.turns]
        able = [one for one in both if texts.counts(served.turns[one].contestant.program)]
        if name == contestants.SHERPA:
            wanted.append((f"this server ÷ {name} at its best that counts", 1.5, ours, able))
        else:  # these goals speak of fp32
            wanted.append((f"this server ÷ {name}, fp32", 1.5, ours, [name]))
        wanted.append((f"this server ÷ {name}, fp32 or int8, whatever the WER", None, ours, both))
        wanted.append((f"fp32 ÷ fp32: {name}", None, ours_fp32, [name]))
    return [
        _gain(texts, served, Goal(f"{label}, full load", bound), mine, there)
        for label, bound, mine, theirs in wanted
        if mine in served.turns and (there := [name for name in theirs if name in served.turns])
    ]


def _gain(texts: Texts, served: Comparison, goal: Goal, ours: str, theirs: Sequence[str]) -> _Row:
    """Compare with the fastest of several servers."""
    best = max(theirs, key=lambda name: spread(served.turns[name].rates).median)
    mine, other = served.turns[ours], served.turns[best]
    words = f"{percent(texts, mine.contestant.program)}; {best}: {percent(texts, other.contestant.program)}"
    return goal, ratios(mine.rates, other.rates), words


def _others(run: Compared, served: Comparison) -> list[_Row]:
    turns = served.turns
    rows: list[_Row] = []
    if original := turns.get(contestants.ORIGINAL):
        goal = Goal("`/healthz` p99 at full load: the original ÷ this server", 20)
        rows.append((goal, ratios(health_p99(original), health_p99(turns[contestants.OURS])), ""))
    if contestants.SHERPA in turns and SHERPA in run.names:
        for mine, ours, label in ((contestants.OURS, OURS, ""), (contestants.OURS_FP32, OURS_FP32, ", fp32")):
            if mine not in turns:
                continue
            gain = ratios(turns[mine].rates, turns[contestants.SHERPA].rates)
            by = run.gain(run.main, ours, [SHERPA]).median
            relative = Spread(gain.median / by, gain.low / by, gain.high / by)
            rows.append((Goal(f"gain over sherpa-onnx in fp32: server's ÷ library's{label}", None), relative, ""))
    return rows
