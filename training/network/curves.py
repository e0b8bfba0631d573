"""Learning curves: a CSV that grows as training goes, and a PNG drawn from it."""

from __future__ import annotations

import csv
from pathlib import Path

from training.files import atomic_path
from training.network.checkpoint import Progress

_EVERY = 50
"""Steps between two lines of the CSV."""


class Curves:
    """``curves.csv`` and ``curves.png`` in `folder`."""

    def __init__(self, folder: Path, steps: int) -> None:
        """Go on with the CSV of an earlier run, without the lines after step `steps`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "curves.csv"
        self.recent = 0.0
        """Loss, averaged over about the last hundred steps."""
        self._losses: list[float] = []
        rows = self._rows() if self.path.exists() else []
        with atomic_path(self.path) as temporary, temporary.open("w", newline="", encoding="utf-8") as sink:
            writer = csv.writer(sink)
            writer.writerow(("step", "minutes", "audio_hours", "learning_rate", "loss", "valid_cer"))
            writer.writerows(row for row in rows if int(row[0]) <= steps)

    def _rows(self) -> list[list[str]]:
        with self.path.open(newline="", encoding="utf-8") as source:
            return list(csv.reader(source))[1:]

    def _append(self, progress: Progress, rate: str, loss: str, error: str) -> None:
        row = (progress.steps, f"{progress.seconds / 60:.2f}", f"{progress.audio / 3600:.3f}", rate, loss, error)
        with self.path.open("a", newline="", encoding="utf-8") as sink:
            csv.writer(sink).writerow(row)

    def step(self, progress: Progress, loss: float, rate: float) -> None:
        """Take note of one step."""
        self._losses.append(loss)
        self.recent = loss if progress.steps <= 1 or self.recent == 0 else 0.99 * self.recent + 0.01 * loss
        if len(self._losses) == _EVERY:
            self._append(progress, f"{rate:.3e}", f"{sum(self._losses) / _EVERY:.4f}", "")
            self._losses.clear()

    def validation(self, progress: Progress, error: float) -> None:
        """Take note of a character error rate on the validation set."""
        self._append(progress, "", "", f"{error:.4f}")

    def draw(self) -> None:
        """Draw the PNG anew."""
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
        from matplotlib.ticker import StrMethodFormatter

        rows = self._rows()
        losses = [(float(row[1]), float(row[4])) for row in rows if row[4]]
        errors = [(float(row[1]), 100 * float(row[5])) for row in rows if row[5]]
        figure, left = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
        left.set(xlabel="minutes of training", ylabel="CTC loss, nats a token", yscale="log")
        left.plot([x for x, _ in losses], [y for _, y in losses], color="tab:blue", linewidth=1)
        if errors:
            right = left.twinx()
            right.set(ylabel="CER on the validation set, %", yscale="log")
            right.plot([x for x, _ in errors], [y for _, y in errors], "o-", color="tab:orange", markersize=3)
        for axes in figure.axes:  # less than a decade, as a rule, where powers of ten are no help
            axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axes.yaxis.set_minor_formatter(StrMethodFormatter("{x:g}"))
        with atomic_path(self.path.with_suffix(".png")) as temporary:
            figure.savefig(temporary, dpi=120)
        pyplot.close(figure)
