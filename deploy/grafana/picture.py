"""The dashboard as a picture, of a server that has good and bad minutes.

Load comes at half of what the server can take, then at nearly all of it, and in the end far more; lanes are killed.
"""

import asyncio
import io
import itertools
import math
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop
from PIL import Image

from deploy.grafana.panels import BAD, COLORS, FIGURES, GOOD, LINES, WARNING, Panel
from loadtest.harness.client import Client
from loadtest.harness.clips import Clip
from loadtest.harness.load import open_loop, poisson_arrivals, saturated_rate
from loadtest.harness.prometheus import Prometheus
from loadtest.harness.server import GunicornServer
from loadtest.harness.subject import Subject

_TURNS = ((0.5, 1.0), (0.9, 1.0), (0.5, 0.5), (2.5, 1.0))
"""Load, as a multiple of what is the most that can be served, and the length of the turn in minutes."""
_KILLS = (0.4, 0.5, 0.6)  # minutes
_LENGTHS = (1.5, 3.0, 5.0, 5.0, 8.0, 12.0)  # seconds of clips
_INTERVAL, _STEP = "15s", 1.0
_SETTLED = 5.0  # seconds in the beginning that are not shown

_Points = list[tuple[float, float]]

_WIDTH, _HEIGHT, _DOTS, _COLUMNS = 15.0, 10.0, 80, 3
_CYCLE = ("#3274d9", "#ff9830", "#8f3bb8", "#56a64b", "#2bb3a3", "#e02f44", "#5794f2", "#96d98d")
_STYLE: Any = {
    "axes.axisbelow": True,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "figure.facecolor": "#f4f5f5",
}


def draw(subject: Subject, file: Path) -> None:
    """Run the scene, some four minutes of two processors, and draw what Prometheus saw of it."""
    clips = subject.clips(list(_LENGTHS))
    with (
        tempfile.TemporaryDirectory(prefix="dashboard-") as scratch,
        subject.server(Path(scratch), ASR_WORKERS=1, ASR_LANES=2) as server,
        Prometheus([server.address], Path(scratch)) as prometheus,
    ):
        began = uvloop.run(_play(server, clips))
        paint(prometheus, began + _SETTLED, began + 60 * sum(minutes for _, minutes in _TURNS), file)


async def _play(server: GunicornServer, clips: list[Clip]) -> float:
    """Return when it began, in seconds of the epoch."""
    with Client(server.address) as client:
        most = await saturated_rate(client, clips, 8, 10.0)
        starts = itertools.accumulate((60 * minutes for _, minutes in _TURNS), initial=0.0)
        arrivals = [
            start + at
            for seed, (start, (times, minutes)) in enumerate(zip(starts, _TURNS, strict=False))
            for at in poisson_arrivals(times * most, 60 * minutes, seed)
        ]
        began = time.time()

        def kill_a_lane() -> None:
            server.lanes()[0].kill()

        for minutes in _KILLS:
            asyncio.get_running_loop().call_later(60 * minutes, kill_a_lane)
        await open_loop(client, clips, arrivals)
        return began


def paint(prometheus: Prometheus, start: float, end: float, file: Path) -> None:
    """Draw what Prometheus saw between two times, in seconds of the epoch, as a PNG."""
    # Late, and without a display, as in loadtest/harness/plots.py.
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    rows = -(-len(LINES) // _COLUMNS)
    with mpl.rc_context(_STYLE):
        figure = pyplot.figure(figsize=(_WIDTH, _HEIGHT), dpi=_DOTS)
        halves = figure.add_gridspec(2, 1, height_ratios=[0.5, rows], hspace=0.14)
        figures = halves[0].subgridspec(1, len(FIGURES), wspace=0.08)
        lines = halves[1].subgridspec(rows, _COLUMNS, hspace=0.5, wspace=0.16)
        for index, panel in enumerate(FIGURES):
            _figure(figure.add_subplot(figures[index]), panel, _series(prometheus, panel, start, end))
        for index, panel in enumerate(LINES):
            _lines(figure.add_subplot(lines[index]), panel, _series(prometheus, panel, start, end), (end - start) / 60)
        file.parent.mkdir(parents=True, exist_ok=True)
        # Few colours take little room.
        with io.BytesIO() as whole:
            figure.savefig(whole, bbox_inches="tight", pad_inches=0.15)
            Image.open(whole).convert("RGB").quantize(128).save(file, optimize=True)
        pyplot.close(figure)


def _series(prometheus: Prometheus, panel: Panel, start: float, end: float) -> dict[str, _Points]:
    """Minutes and values by legend."""
    found = {}
    for legend, expression in panel.expressions(".+", _INTERVAL).items():
        for labels, points in prometheus.ask_range(expression, start, end, _STEP):
            name = re.sub(r"{{(\w+)}}", lambda match: labels.get(match[1], ""), legend)  # noqa: B023 - used at once
            found[name] = [((at - start) / 60, value) for at, value in points if not math.isnan(value)]
    return {name: points for name, points in found.items() if points}


def _figure(axes: Any, panel: Panel, series: dict[str, _Points]) -> None:
    """Write the last value, and its way there under it."""
    name, points = max(series.items(), key=lambda each: each[1][-1], default=("no data", [(0.0, 0.0)]))
    value = points[-1][1]
    bad = panel.bad is not None and value >= panel.bad
    warning = panel.warning is not None and value >= panel.warning
    color = BAD if bad else WARNING if warning else GOOD
    filled = panel.warning is not None
    axes.set(xticks=[], yticks=[], title=panel.title, facecolor=color if filled else "white")
    axes.spines[:].set_visible(False)
    if panel.reading == "value":
        axes.fill_between(*zip(*points, strict=True), color="white" if filled else color, alpha=0.25, linewidth=0)
        axes.set_ylim(0, 2.5 * max([value for _, value in points] + [1e-9]))
        axes.margins(x=0)
    words = name if panel.reading == "name" or not series else _in(panel.unit)(value)
    axes.text(
        0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", fontsize=19, fontweight="bold",
        color="white" if filled else color,
    )  # fmt: skip


def _lines(axes: Any, panel: Panel, series: dict[str, _Points], minutes: float) -> None:
    axes.set_title(panel.title, loc="left", fontweight="bold")
    if not series:
        return
    colors = [COLORS.get(name, next_color) for name, next_color in zip(series, itertools.cycle(_CYCLE), strict=False)]
    if panel.stacked:
        times = sorted({at for points in series.values() for at, _ in points})
        values = [[dict(points).get(at, 0.0) for at in times] for points in series.values()]
        axes.stackplot(times, values, labels=list(series), colors=colors, alpha=0.75, linewidth=0)
    else:
        for (name, points), color in zip(series.items(), colors, strict=True):
            axes.plot(*zip(*points, strict=True), label=name, color=color, linewidth=1.6)
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, minutes)
    axes.yaxis.set_major_formatter(lambda value, _: _in(panel.unit)(value))
    axes.set_xticks(range(1, int(minutes) + 1), [f"{minute} min" for minute in range(1, int(minutes) + 1)])
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(-0.02, -0.12),
        ncols=5,
        frameon=False,
        borderpad=0,
        columnspacing=0.8,
        handlelength=1.2,
    )


def _in(unit: str) -> Callable[[float], str]:
    """How numbers of a unit are written, as Grafana does."""
    written: dict[str, Callable[[float], str]] = {
        "s": lambda value: f"{value:.3g} s" if value >= 1 or not value else f"{1000 * value:.3g} ms",
        "reqps": lambda value: f"{value:.3g}/s",
        "percentunit": lambda value: f"{100 * value:.1f} %",
        "decbytes": lambda value: f"{value / 1e6:.3g} MB" if value < 1e9 else f"{value / 1e9:.3g} GB",
    }
    return written.get(unit, lambda value: f"{value:.3g}")
