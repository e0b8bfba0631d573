"""Pictures: PNG files, small enough to live in docs/."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_WIDTH, _HEIGHT, _DOTS = 8.0, 4.0, 90  # inches, and dots per inch


def divisions(measured: Mapping[str, tuple[float, float]], path: Path, title: str) -> None:
    """Draw throughput (audio seconds a second) and latency (seconds) of each division, by its name."""
    figure, (left, right) = _figure(columns=2)
    names = list(measured)
    left.barh(names, [throughput for throughput, _ in measured.values()], color="tab:blue")
    left.set_xlabel("audio seconds a second, all lanes busy")
    right.barh(names, [1000 * latency for _, latency in measured.values()], color="tab:orange")
    right.set_xlabel("ms for one clip on an idle machine")
    right.set_yticklabels([])
    for axes in (left, right):
        axes.invert_yaxis()
    left.set_ylabel("lanes × threads")
    _save(figure, path, title)


def latency_and_goodput(rows: Sequence[Mapping[str, Any]], path: Path, title: str) -> None:
    """Draw one dot for each request by its kind, and the good ones of each second.

    `rows` have `time` (s since the start), `seconds` (latency) and `kind` (good, refused, healthz, …).
    """
    figure, (upper, lower) = _figure(rows=2)
    for kind in sorted({row["kind"] for row in rows}):
        chosen = [row for row in rows if row["kind"] == kind]
        times, seconds = [row["time"] for row in chosen], [max(row["seconds"], 1e-4) for row in chosen]
        upper.plot(times, seconds, ".", markersize=3, label=f"{kind} ({len(chosen)})")
    upper.set_yscale("log")
    upper.set_ylabel("latency, s")
    upper.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    good = [row["time"] + row["seconds"] for row in rows if row["kind"] == "good"]
    if good:
        lower.hist(good, bins=range(int(max(good)) + 2), histtype="step")
    lower.set_ylabel("good answers a second")
    lower.set_xlabel("seconds")
    _save(figure, path, title)


def memory(series: Mapping[str, Sequence[tuple[float, float]]], path: Path, title: str) -> None:
    """Draw MiB over minutes, one line for each process."""
    figure, axes = _figure()
    for name, points in series.items():
        axes.plot([minutes for minutes, _ in points], [mebibytes for _, mebibytes in points], label=name)
    axes.set_xlabel("minutes")
    axes.set_ylabel("PSS, MiB")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize="small")
    _save(figure, path, title)


def rates(tried: Sequence[tuple[float, float]], target: float, path: Path, title: str) -> None:
    """Draw p95 over the rate of arrivals, and the target."""
    figure, axes = _figure()
    ordered = sorted(tried)
    axes.plot([rate for rate, _ in ordered], [p95 for _, p95 in ordered], "o-")
    axes.axhline(target, color="tab:red", linestyle="--", label=f"target {target:g} s")
    axes.set_xlabel("clips a second")
    axes.set_ylabel("p95 latency, s")
    axes.set_ylim(bottom=0)
    axes.legend()
    _save(figure, path, title)


def _figure(rows: int = 1, columns: int = 1) -> Any:
    import matplotlib as mpl

    mpl.use("Agg")  # no display is asked for
    from matplotlib import pyplot

    return pyplot.subplots(
        rows, columns, sharex=rows > 1, figsize=(_WIDTH, _HEIGHT * (1 + 0.4 * (rows - 1))), dpi=_DOTS
    )


def _save(figure: Any, path: Path, title: str) -> None:
    from matplotlib import pyplot

    figure.suptitle(title, fontsize="medium")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    pyplot.close(figure)
