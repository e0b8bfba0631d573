"""Tables of the measured part, in Markdown."""

from collections.abc import Sequence

from benchmarks.accuracy import Heard, Texts
from benchmarks.compared import LIMIT, OURS, OURS_FP32, RUNTIME, Compared
from benchmarks.contestants import OURS as OUR_SERVER
from benchmarks.fairness import Waits
from benchmarks.limit import UNIT
from benchmarks.serving import Comparison, Turns
from benchmarks.spread import percentile, ratios, spread

_SHARES = (OURS, OURS_FP32, RUNTIME)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out one table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def library(run: Compared, seconds: float) -> str:
    """All programs on one length of audio."""
    rates = [f"{division}, audio s/s" for division in run.divisions]
    head = ["program", "computes", "one clip, ms", *rates]
    head += ["this library ÷ it, one clip", "÷ it, full load", "share of the limit"]
    work, units = run.work[seconds], [run.results[seconds][LIMIT, division].median for division in run.divisions]
    limits = [f"{seconds / (work * unit):.0f}" for unit in units]
    rows = [[LIMIT, "fp32", f"{1000 * run.limit(seconds).median:.1f}", *limits, "", "", "1"]]
    for name in sorted(run.names, key=lambda name: run.full(seconds, name).median):
        gains = (
            ["", ""] if name == OURS else [str(run.gain(seconds, OURS, [name], full=full)) for full in (False, True)]
        )
        speeds = [f"{seconds / run.results[seconds][name, division].median:.0f}" for division in run.divisions]
        share = f"{run.share(seconds, name).median:.2f}" if name in _SHARES else ""
        computes = run.computes.get(name, "")
        rows.append([name, computes, f"{run.alone(seconds, name).median * 1000:.1f}", *speeds, *gains, share])
    title = f"### {seconds:g} s of audio: {work_in_words(run, seconds)}, {run.clock} time"
    return f"{title}\n\n{table(head, rows)}"


def work_in_words(run: Compared, seconds: float) -> str:
    """Multiply-adds of the exported graph."""
    return f"{run.work[seconds] * UNIT / 1e9:.2f} G multiply-adds"


def texts(found: Texts) -> str:
    """Word and character error rates of all programs on all sets, and who counts as a peer's best."""
    head = ["program", *(f"{known.name}: equal to this library's, WER, CER" for known, _ in found.sets)]
    head += ["WER of all", "counts as a peer's best"]
    rows = []
    for name in dict.fromkeys(name for _, heard in found.sets for name in heard):
        cells = [_heard(heard[name], len(known.said)) for known, heard in found.sets if name in heard]
        verdict = "" if name.startswith(OURS) else "yes" if found.counts(name) else "no"
        rows.append([name, *cells, f"{found.wer(name):.2f} %", verdict])
    return table(head, rows)


def _heard(result: Heard, clips: int) -> str:
    rates = f"{result.score.words.percent:.1f} %, {result.score.characters.percent:.1f} %"
    return f"{result.equal} of {clips}, {rates}"


def servers(compared: Comparison) -> str:
    """All servers: full load, and one client."""
    ours = compared.turns[OUR_SERVER]
    head = ["server", "settings", "audio s/s at full load", "this server ÷ it", "full load p50, p95, ms"]
    head += ["one client p50, p95, ms", "`/healthz` p99 at full load, ms", "wrong or lost"]
    rows = []
    for name, turns in sorted(compared.turns.items(), key=lambda item: -spread(item[1].rates).median):
        gain = "" if turns is ours else str(ratios(ours.rates, turns.rates))
        health = [second for round_ in turns.health for second in round_]
        p99 = f"{1000 * percentile(health, 99):.1f} ({len(health)} asked)" if health else "has none"
        speed = f"{spread(turns.rates).median:.0f}"
        settings = turns.contestant.settings + (f", computes {turns.computes}" if turns.computes else "")
        rows.append([name, settings, speed, gain, _tails(turns.loaded), _tails(turns.alone), p99, str(turns.wrong)])
    return table(head, rows)


def tried(compared: Comparison) -> str:
    """Settings that were tried for the peers."""
    rows = [
        [name, settings, f"{rate:.0f}"]
        for name, found in compared.tried.items()
        for settings, rate in sorted(found.items(), key=lambda item: -item[1])
    ]
    return table(["server", "settings", "audio s/s"], rows) if rows else ""


def fairness(waits: Waits) -> str:
    """The short clips' p95 in both orders."""
    rows = [
        [name, str(spread([1000 * wait for wait in found]))]
        for name, found in (
            ("fair, two clients", waits.fair),
            ("first come, first served: one client", waits.one_client),
        )
    ]
    return table(["order", "p95 of 1-second clips, ms"], rows)


def health_p99(turns: Turns) -> list[float]:
    """Seconds, one for each round."""
    return [percentile(round_, 99) for round_ in turns.health]


def _tails(rounds: Sequence[Sequence[float]]) -> str:
    seconds = [second for round_ in rounds for second in round_]
    return f"{1000 * percentile(seconds, 50):.0f}, {1000 * percentile(seconds, 95):.0f}"
