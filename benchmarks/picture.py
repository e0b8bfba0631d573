"""Pictures of one run: audio seconds a second."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.compared import Compared
from benchmarks.serving import Comparison
from benchmarks.spread import spread

_WIDTH, _ROW, _DOTS = 9.0, 0.28, 90  # inches, and dots per inch


def programs(run: Compared, path: Path, title: str) -> None:
    """Draw all programs at full load, a column of bars for each length."""
    figure, columns = _figure(len(run.names) + 1, len(run.lengths))
    for axes, seconds in zip(columns, run.lengths, strict=True):
        axes.barh(["the limit"], [seconds / run.limit(seconds)], color="lightgrey")
        axes.barh(run.names, [seconds / run.full(seconds, name).median for name in run.names], color="tab:blue")
        axes.set_title(f"{seconds:g} s", fontsize="small")
    _save(figure, columns, path, title)


def servers(compared: Comparison, path: Path, title: str) -> None:
    """Draw all servers at full load."""
    figure, columns = _figure(len(compared.turns), 1)
    rates = [spread(turns.rates).median for turns in compared.turns.values()]
    columns[0].barh(list(compared.turns), rates, color="tab:blue")
    _save(figure, columns, path, title)


def _figure(rows: int, columns: int) -> tuple[Any, Sequence[Any]]:
    import matplotlib as mpl

    mpl.use("Agg")  # no display
    from matplotlib import pyplot

    size = (_WIDTH, 1 + rows * _ROW)
    figure, axes = pyplot.subplots(1, columns, figsize=size, sharey=True, squeeze=False)
    return figure, axes[0]


def _save(figure: Any, columns: Sequence[Any], path: Path, title: str) -> None:
    from matplotlib import pyplot

    for axes in columns:
        axes.tick_params(labelsize="small")
    columns[0].invert_yaxis()
    figure.supxlabel("audio seconds a second", fontsize="small")
    figure.suptitle(title, fontsize="medium")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=_DOTS)
    pyplot.close(figure)
