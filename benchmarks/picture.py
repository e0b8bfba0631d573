"""Pictures of one run: audio seconds a second."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.compared import LIMIT, Compared
from benchmarks.serving import Comparison
from benchmarks.spread import spread

_WIDTH, _ROW, _DOTS = 10.0, 0.3, 110  # inches, and dots per inch
_OURS, _OURS_FP32, _FP32, _INT8 = "tab:blue", "lightskyblue", "silver", "dimgrey"
_LEGEND = {"this project": _OURS, "this project, fp32": _OURS_FP32, "others, fp32": _FP32, "others, int8": _INT8}


def programs(run: Compared, path: Path, title: str) -> None:
    """Draw all programs at full load, the fastest on top, a column of bars for each length."""
    names = sorted(run.names, key=lambda name: run.full(run.main, name).median)
    figure, columns = _figure(len(names) + 1, len(run.lengths))
    for axes, seconds in zip(columns, run.lengths, strict=True):
        limit = seconds / run.limit(seconds).median
        _bars(axes, {name: seconds / run.full(seconds, name).median for name in names}, limit)
        axes.axvline(limit, color="tab:red", linestyle="--", label=f"{LIMIT} of fp32")
        axes.set_title(f"clips of {seconds:g} s", fontsize="medium")
    _save(figure, columns, path, title)


def servers(compared: Comparison, path: Path, title: str) -> None:
    """Draw all servers at full load, the fastest on top."""
    rates = {name: spread(turns.rates).median for name, turns in compared.turns.items()}
    figure, columns = _figure(len(rates), 1)
    _bars(columns[0], dict(sorted(rates.items(), key=lambda item: -item[1])))
    _save(figure, columns, path, title)


def _bars(axes: Any, rates: Mapping[str, float], farthest: float = 0.0) -> None:
    """Draw a bar for each, its length in figures at its end."""
    bars = axes.barh(list(rates), list(rates.values()), color=[_colour(name) for name in rates])
    labels = axes.bar_label(bars, fmt="%.0f", padding=3, fontsize="small")
    for label in labels:  # the line of the limit may run through
        label.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.5})
    axes.set_xlim(0, 1.18 * max([farthest, *rates.values()]))


def _colour(name: str) -> str:
    if name.startswith("this "):
        return _OURS_FP32 if "fp32" in name else _OURS
    return _INT8 if "int8" in name else _FP32


def _figure(rows: int, columns: int) -> tuple[Any, Sequence[Any]]:
    import matplotlib as mpl

    mpl.use("Agg")  # no display
    from matplotlib import pyplot

    size = (_WIDTH, 1.3 + rows * _ROW)
    figure, axes = pyplot.subplots(1, columns, figsize=size, sharey=True, squeeze=False)
    return figure, axes[0]


def _save(figure: Any, columns: Sequence[Any], path: Path, title: str) -> None:
    from matplotlib import pyplot
    from matplotlib.patches import Patch

    for axes in columns:
        axes.tick_params(labelsize="small")
        axes.spines[["top", "right"]].set_visible(False)
    columns[0].invert_yaxis()
    lines, _ = columns[0].get_legend_handles_labels()
    patches = [Patch(color=colour, label=label) for label, colour in _LEGEND.items()]
    handles = [*patches, *(line for line in lines if line.get_label().startswith(LIMIT))]
    figure.suptitle(f"{title}: audio seconds a second, longer is better", fontsize="large")
    figure.tight_layout(rect=(0, 0.25 / figure.get_figheight(), 1, 1))
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), fontsize="small", frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=_DOTS)
    pyplot.close(figure)
