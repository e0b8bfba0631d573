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
    return f"{chip}, Linux {platform.release()}, Python {platform.python_version()}, {datetime.date.today()}"  # noqa: DTZ011


def write_column(page: Path, table: str, cells: Mapping[str, str], words: str) -> None:
    """Put cells, by the first cell of their rows, into this processor's column of a table, and `words` under it.

    The table stands between `<!-- TABLE: begin -->` and `<!-- TABLE: end -->`. Raises ValueError where it has no such
    row or column: nothing is written then.
    """
    begin, end = f"<!-- {table}: begin -->", f"<!-- {table}: end -->"
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    block, _, after = rest.partition(end)
    lines = block.strip().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    column = rows[0].index(processor())
    names = [row[0] for row in rows]
    for name, cell in cells.items():
        rows[names.index(name)][column] = cell
    mark = f"*{processor()}*: "
    notes = [line for line in lines if line.startswith("*") and not line.startswith(mark)] + [f"{mark}{words}"]
    written = "\n".join([*(f"| {' | '.join(row)} |" for row in rows), "", *sorted(notes)])
    partial = page.with_suffix(".partial")  # a run that is ended leaves the old page whole
    partial.write_text(f"{before}{begin}\n\n{written}\n\n{end}{after}", encoding="utf-8")
    partial.replace(page)
