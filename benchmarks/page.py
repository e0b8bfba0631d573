"""The measured part of docs/benchmarks.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import goals, tables
from benchmarks.accuracy import Heard, Known
from benchmarks.compared import Compared
from benchmarks.fairness import Waits
from benchmarks.lanes import Lanes
from benchmarks.serving import Comparison
from inference.package import Package

_BEGIN, _END = "<!-- measured: begin -->", "<!-- measured: end -->"

_HOW_TO_READ = """\
Median over the rounds, first and ninth decile. *Full load*: each program in the division of the processors that suits
it best. *One client*: one process with all threads."""
_SERVERS = """\
Clips of {:g} s; full load: {} clients, each sending its next clip when it has the answer to the last, for {:g} s a
round. All servers run all the while and are loaded one at a time; idle, they keep {:.0f} % of one processor busy
together."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A whole run; what was left out of it is None, or empty."""

    library: Compared
    heard: Sequence[tuple[Known, Mapping[str, Heard]]]
    served: Comparison | None
    waits: Waits | None
    lanes: Lanes | None


def render(measured: Measured, speed: Package, accuracy: Package, command: str, machine: str) -> str:
    """Write everything in Markdown."""
    source = f" ({speed.source})" if speed.source else ""
    library = measured.library
    parts = [
        f"Model for speed: `{speed.name}`{source}; for texts: `{accuracy.name}`. {machine}.",
        f"    {command}",
        "### What was wanted",
        _HOW_TO_READ,
        goals.of_library(library),
        goals.of_server(library, measured.served, measured.waits, measured.lanes),
        *_servers(measured),
        "## Programs",
        "Columns *n × m*: n processes of m threads, each hearing the clip.",
        *(tables.library(library, seconds) for seconds in library.lengths),
    ]
    if measured.heard:
        parts += [f"### Texts, `{accuracy.name}`", tables.texts(measured.heard)]
    return "\n\n".join(part for part in parts if part) + "\n"


def write(path: Path, text: str) -> None:
    """Put the text between the marks of the page, which is made where there is none."""
    page = path.read_text(encoding="utf-8") if path.exists() else f"# Benchmarks\n\n{_BEGIN}\n{_END}\n"
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    path.write_text(f"{before}{_BEGIN}\n\n{text}\n{_END}{after}", encoding="utf-8")


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
