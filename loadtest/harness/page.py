"""Tables of docs/performance.md: rows and words are the page's own, a column for each kind of processor is measured."""

import datetime
import platform
from collections.abc import Mapping
from pathlib import Path

from inference.machine import int8_weight_bits

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"


def processor() -> str:
    """Name the column of this machine: what decides is how it sums products of 8-bit numbers."""
    return "VNNI" if int8_weight_bits() == 8 else "AVX2"


def describe() -> str:
    """Processor, system and day."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    chip = f"{len(names)} × {names[0]}" if names else platform.processor()
    kernel = platform.release().partition("-")[0]
    return f"{chip}, Linux {kernel}, Python {platform.python_version()}, {datetime.date.today()}"  # noqa: DTZ011


def write_column(page: Path, table: str, cells: Mapping[str, str], words: str) -> None:
    """Put cells, by the first cell of their rows, into this processor's column of a table, and `words` under it.

    The table stands between `<!-- TABLE: begin -->` and `<!-- TABLE: end -->`. Raises ValueError where it has no such
    row or column: nothing is written then.
    """
    lines = _block(page.read_text(encoding="utf-8"), table)[1].strip().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    column = rows[0].index(processor())
    names = [row[0] for row in rows]
    for name, cell in cells.items():
        rows[names.index(name)][column] = cell
    mark = f"*{processor()}*: "
    notes = [line for line in lines if line.startswith("*") and not line.startswith(mark)] + [f"{mark}{words}"]
    write_block(page, table, "\n".join([*(f"| {' | '.join(row)} |" for row in rows), "", *sorted(notes)]))


def write_block(page: Path, name: str, text: str) -> None:
    """Put a text between `<!-- NAME: begin -->` and `<!-- NAME: end -->`; raise ValueError where these are not."""
    before, _, after = _block(page.read_text(encoding="utf-8"), name)
    partial = page.with_suffix(".partial")  # a run that is ended leaves the old page whole
    partial.write_text(f"{before}\n\n{text}\n\n{after}", encoding="utf-8")
    partial.replace(page)


def _block(page: str, name: str) -> tuple[str, str, str]:
    """What stands before, between and behind the marks, which are parts of the first and the last."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    first, last = page.index(begin) + len(begin), page.index(end)
    return page[:first], page[first:last], page[last:]
