"""A picture of one run: audio seconds a second, by length and program."""

from pathlib import Path

from benchmarks.page import Compared

_WIDTH, _ROW, _DOTS = 8.0, 0.28, 90  # inches, and dots per inch


def draw(run: Compared, path: Path, title: str) -> None:
    """Write a PNG."""
    import matplotlib as mpl

    mpl.use("Agg")  # no display
    from matplotlib import pyplot

    lengths = list(run.results)
    rows = max(len(run.programs(seconds)) for seconds in lengths) + 1
    figure, columns = pyplot.subplots(1, len(lengths), figsize=(_WIDTH, 1 + rows * _ROW), sharey=True, squeeze=False)
    for axes, seconds in zip(columns[0], lengths, strict=True):
        programs = run.programs(seconds)
        axes.barh(["the limit"], [seconds / run.limit(seconds)], color="lightgrey")
        axes.barh(list(programs), [seconds / entry.median for entry in programs.values()], color="tab:blue")
        axes.set_title(f"{seconds:g} s", fontsize="small")
        axes.tick_params(labelsize="small")
    columns[0][0].invert_yaxis()
    figure.supxlabel("audio seconds a second", fontsize="small")
    figure.suptitle(title, fontsize="medium")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=_DOTS)
    pyplot.close(figure)
