"""`python -m tools.soak --minutes 10`: steady work of every length, while memory is watched.

Ends with 1 where a lane grew by more than 1 MiB a minute after warm-up, a text was wrong, or a request was lost.
"""

import argparse
import asyncio
import csv
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import uvloop
from tqdm import tqdm

from inference.errors import InferenceError
from inference.loading import load
from inference.package import load_package
from tools import plots
from tools.capacity import saturated_rate
from tools.client import Answer, Client
from tools.clips import REPOSITORY, Clip, make_clips, spread_lengths
from tools.command_line import add_model, at_least
from tools.load import open_loop, poisson_arrivals, summarise
from tools.local_server import LocalServer, ServerFailed
from tools.process_memory import process_memory
from tools.statistics import slope

_SHORTEST, _LONGEST, _LENGTHS = 0.2, 30.0, 40  # seconds, seconds, how many between
_LOAD = 0.6  # of capacity: lanes are busy, and nothing queues for long
_SAMPLE_SECONDS = 0.5  # a lane at work holds twice what an idle one does: few samples would give a slope of chance
_WARM_UP = 0.25  # of the whole time
_MOST_GROWTH = 1.0  # MiB a minute, for a lane

Series = dict[str, list[tuple[float, float]]]
"""Process → (minutes, MiB)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Load, watch, judge; return 0, 1 where it failed, 2 where it could not be run."""
    options = _parser().parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        pipeline = load(load_package(options.model), precision=options.precision)
        lengths = spread_lengths(_SHORTEST, _LONGEST, _LENGTHS)
        clips = make_clips(pipeline, lengths, limit_seconds=_LONGEST)
        with LocalServer(_settings(options), log=options.out / "server.log") as server:
            answers, series = uvloop.run(_soak(server, clips, options.minutes * 60))
    except (InferenceError, ServerFailed) as error:
        print(error, file=sys.stderr)
        return 2
    _write(series, options.out / "memory.csv")
    plots.memory(series, options.out / "plot.png", f"{options.model.name}, clips of {_SHORTEST:g} to {_LONGEST:g} s")
    return _verdict(answers, series, options)


async def _soak(server: LocalServer, clips: Sequence[Clip], seconds: float) -> tuple[list[Answer], Series]:
    client = Client(server.host, server.port)
    mean = sum(clip.seconds for clip in clips) / len(clips)
    # By a clip of middling length: how long a second of audio takes changes little with length.
    middling = min(clips, key=lambda clip: abs(clip.seconds - mean))
    rate = _LOAD * await saturated_rate(client, [middling], min(8.0, seconds))
    arrivals = poisson_arrivals(rate, seconds, seed=6)
    shuffled = [clips[index * 37 % len(clips)] for index in range(len(clips))]  # 37 and the number have no divisor
    watching = asyncio.create_task(_watch(server, seconds))
    with tqdm(total=len(arrivals), unit="clip", disable=None) as bar:
        answers = await open_loop(client, shuffled, arrivals, bar.update)
    client.close()
    return answers, await watching


async def _watch(server: LocalServer, seconds: float) -> Series:
    started = time.monotonic()
    series: Series = {}
    while (elapsed := time.monotonic() - started) < seconds:
        names = {f"lane {pid}": pid for pid in server.lane_pids()}
        names |= {f"worker {pid}": pid for pid in server.worker_pids()}
        for name, pid in names.items():
            try:
                series.setdefault(name, []).append((elapsed / 60, process_memory(pid).pss))
            except OSError:
                continue  # it ended just now
        await asyncio.sleep(_SAMPLE_SECONDS)
    return series


def growth(points: Sequence[tuple[float, float]], minutes: float) -> float:
    """MiB a minute after the warm-up of a test that lasts so many minutes."""
    warm = [point for point in points if point[0] >= _WARM_UP * minutes]
    return slope([time for time, _ in warm], [mebibytes for _, mebibytes in warm])


def _verdict(
    answers: Sequence[Answer], series: Mapping[str, Sequence[tuple[float, float]]], options: argparse.Namespace
) -> int:
    summary = summarise(answers, options.minutes * 60)
    grown = {name: growth(points, options.minutes) for name, points in series.items()}
    for name, points in series.items():
        most = max(mebibytes for _, mebibytes in points)
        print(f"{name:14} PSS {points[-1][1]:6.0f} MiB, at most {most:6.0f}   {grown[name]:+6.2f} MiB a minute")
    print(
        f"{summary.good} good, {summary.refused} refused, {summary.late} late, {summary.failed} failed, "
        f"{summary.lost} lost, {summary.wrong} wrong texts; memory.csv and plot.png are in {options.out}"
    )
    flat = all(value <= _MOST_GROWTH for name, value in grown.items() if name.startswith("lane"))
    passed = flat and bool(summary.good) and not (summary.lost or summary.wrong)
    print("passed" if passed else f"FAILED: at most {_MOST_GROWTH:g} MiB a minute a lane, nothing lost, no text wrong")
    return 0 if passed else 1


def _write(series: Series, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("process", "minutes", "pss_mib"))
        for name, points in series.items():
            writer.writerows((name, f"{minutes:.3f}", f"{mebibytes:.2f}") for minutes, mebibytes in points)


def _settings(options: argparse.Namespace) -> dict[str, object]:
    return {
        "ASR_MODEL": options.model.resolve(),
        "ASR_PRECISION": options.precision,
        "ASR_CLIP_SECONDS": _LONGEST,
        "ASR_PROFILE": REPOSITORY / "build" / "tuned.yaml",
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.soak", description=__doc__)
    add_model(parser)
    parser.add_argument("--minutes", type=at_least(0.1), default=10.0, help="(default: 10)")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "build" / "soak", metavar="DIR")
    return parser


if __name__ == "__main__":
    sys.exit(main())
