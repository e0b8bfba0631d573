"""The measured part of docs/benchmarks.md."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks import goals, server_goals, tables
from benchmarks.accuracy import TOLERANCE, Texts
from benchmarks.compared import OURS, Compared
from benchmarks.contestants import OURS as SERVER
from benchmarks.fairness import Waits
from benchmarks.lanes import Lanes
from benchmarks.serving import Comparison
from inference.package import Package

_BEGIN, _END = "<!-- measured: begin -->", "<!-- measured: end -->"

_HOW_TO_READ = """\
Median over the rounds, first and ninth decile. *This library* and *this server* are what a user gets, in the precision
that they choose themselves: the library computed {library} here, the server {server}. *fp32 ÷ fp32* compares ours in
fp32 with theirs in fp32. *Full load*: each program in the division of the processors that suits it best. *One client*:
one process with all threads. *WER*: ours; theirs, on the clips of the table of texts. A peer's int8 whose WER there
is more than {tolerance:g} points above this library's does not count as its best: what our own int8 may lose at its
gate is granted to everybody. *Whatever its WER* lets it count."""
_BROKEN = "Broke down, and left out: {}."
_SERVERS = """\
Clips of {:g} s; full load: {} clients, each sending its next clip when it has the answer to the last, for {:g} s a
turn. All servers run all the while and are loaded one at a time; idle, they keep {:.0f} % of one processor busy
together."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A whole run; what was left out of it is None, or empty."""

    library: Compared
    texts: Texts
    served: Comparison | None
    waits: Waits | None
    lanes: Lanes | None


def render(measured: Measured, speed: Package, accuracy: Package, command: str, machine: str) -> str:
    """Write everything in Markdown."""
    source = f" ({speed.source})" if speed.source else ""
    library, served = measured.library, measured.served
    precision = served.turns[SERVER].computes if served else "was not asked"
    reading = _HOW_TO_READ.format(library=library.computes.get(OURS, ""), server=precision, tolerance=TOLERANCE)
    broken = {**library.broken, **measured.texts.broken, **(served.broken if served else {})}
    parts = [
        f"Model for speed: `{speed.name}`{source}; for texts: `{accuracy.name}`. {machine}.",
        f"    {command}",
        _BROKEN.format(", ".join(broken)) if broken else "",
        "### What was wanted",
        reading,
        goals.of_library(library, measured.texts),
        server_goals.of_server(library, measured.texts, served, measured.waits, measured.lanes),
        *_servers(measured),
        "## Programs",
        "Columns *n × m*: n processes of m threads, each hearing the clip.",
        *(tables.library(library, seconds) for seconds in library.lengths),
    ]
    if measured.texts.sets:
        parts += [f"### Texts, `{accuracy.name}`", tables.texts(measured.texts)]
    return "\n\n".join(part for part in parts if part) + "\n"


def write(path: Path, text: str) -> None:
    """Put the text between the marks of the page, which is made where there is none."""
    page = path.read_text(encoding="utf-8") if path.exists() else f"# Benchmarks\n\n{_BEGIN}\n{_END}\n"
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    partial = path.with_suffix(".partial")  # a run that is ended leaves the old page whole
    partial.write_text(f"{before}{_BEGIN}\n\n{text}\n{_END}{after}", encoding="utf-8")
    partial.replace(path)


def _servers(measured: Measured) -> list[str]:
    parts = []
    if measured.served:
        load, idle = measured.served.load, measured.served.idle
        parts += [
            "## Servers",
            _SERVERS.format(load.clip_seconds, load.clients, load.seconds, 100 * idle),
            tables.servers(measured.served),
            "![Audio seconds a second by server](images/servers.png)",
        ]
        if choice := tables.tried(measured.served):
            parts += ["Settings tried for the peers, one turn each; the best ones are in the table above:", choice]
    if measured.waits:
        wrong = measured.waits.wrong
        parts += [
            "### One client floods, another sends short clips",
            f"Some send 10-second clips without a pause, one sends 1-second clips; wrong or lost: {wrong}.",
            tables.fairness(measured.waits),
        ]
    return parts
