"""Tables of the measured part, in Markdown."""

from collections.abc import Mapping, Sequence

from benchmarks.accuracy import Heard, Known
from benchmarks.compared import OURS, OURS_INT8, RUNTIME, Compared
from benchmarks.contestants import OURS as OUR_SERVER
from benchmarks.fairness import Waits
from benchmarks.serving import Comparison, Turns
from benchmarks.spread import percentile, ratios, spread

_SHARES = (OURS, OURS_INT8, RUNTIME)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out one table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def library(run: Compared, seconds: float) -> str:
    """All programs on one length of audio."""
    limit, work = run.limit(seconds), run.work[seconds] / 1e9
    rates = [f"{division}, audio s/s" for division in run.divisions]
    head = ["program", "one clip, ms", *rates, "this library ÷ it, one clip", "÷ it, full load", "share of the limit"]
    best = f"{seconds / limit:.0f}"
    rows = [[f"the limit: {work:.2f} G multiply-adds", f"{limit * 1000:.1f}", *[best] * len(rates), "", "", "1"]]
    for name in sorted(run.names, key=lambda name: run.full(seconds, name).median):
        gains = (
            ["", ""] if name == OURS else [str(run.gain(seconds, [OURS], [name], full=full)) for full in (False, True)]
        )
        speeds = [f"{seconds / run.results[seconds][name, division].median:.0f}" for division in run.divisions]
        share = f"{run.share(seconds, name).median:.2f}" if name in _SHARES else ""
        rows.append([name, f"{run.alone(seconds, name).median * 1000:.1f}", *speeds, *gains, share])
    return f"### {seconds:g} s of audio, {run.clock} time\n\n{table(head, rows)}"


def texts(found: Sequence[tuple[Known, Mapping[str, Heard]]]) -> str:
    """Word and character error rates of all programs on all sets."""
    head = ["program", *(f"{known.name}: equal to this library's, WER, CER" for known, _ in found)]
    names = dict.fromkeys(name for _, heard in found for name in heard)
    rows = []
    for name in names:
        cells = []
        for known, heard in found:
            result = heard[name]
            rates = f"{result.score.words.percent:.1f} %, {result.score.characters.percent:.1f} %"
            cells.append(f"{result.equal} of {len(known.said)}, {rates}")
        rows.append([name, *cells])
    return table(head, rows)


def servers(compared: Comparison) -> str:
    """All servers: full load, and one client."""
    ours = compared.turns[OUR_SERVER]
    head = ["server", "settings", "audio s/s at full load", "this server ÷ it", "full load p50, p95, ms"]
    head += ["one client p50, p95, ms", "`/healthz` p99 at full load, ms", "wrong or lost"]
    rows = []
    for name, turns in compared.turns.items():
        gain = "" if turns is ours else str(ratios(ours.rates, turns.rates))
        health = [second for round_ in turns.health for second in round_]
        p99 = f"{1000 * percentile(health, 99):.1f} ({len(health)} asked)" if health else "has none"
        speed = f"{spread(turns.rates).median:.0f}"
        rows.append(
            [name, turns.settings, speed, gain, _tails(turns.loaded), _tails(turns.alone), p99, str(turns.wrong)]
        )
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
