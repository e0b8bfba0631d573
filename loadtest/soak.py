"""Steady work of every length, while the memory of lanes is watched.

Ends with 1 where a lane grew by more than 1 MiB a minute after warm-up, a text was wrong, or a request was lost.
"""

import argparse
import asyncio
import csv
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import linear_regression

import psutil
import uvloop
from tqdm import tqdm

from loadtest.harness import REPOSITORY
from loadtest.harness.client import Client
from loadtest.harness.clips import Clip
from loadtest.harness.load import open_loop, poisson_arrivals, saturated_rate
from loadtest.harness.outcomes import Outcome, summarise
from loadtest.harness.plots import drawing
from loadtest.harness.server import GunicornServer
from loadtest.harness.subject import TUNED, at_least, chosen_subject
from loadtest.harness.watch import mebibytes

_SHORTEST, _LONGEST, _LENGTHS = 0.2, 30.0, 40  # seconds, seconds, how many between
_LOAD = 0.6  # of capacity
_WARM_UP = 0.25  # of the whole time
_MOST_GROWTH = 1.0  # MiB a minute
_SAMPLE_SECONDS = 0.5  # a lane at work holds twice what an idle one does: looks must be many

Series = dict[str, list[tuple[float, float]]]
"""Process → minutes since the start, and MiB."""


def main(options: argparse.Namespace) -> int:
    """Load, watch, judge; return 1 where it failed."""
    subject = chosen_subject(options)
    options.out.mkdir(parents=True, exist_ok=True)
    step = (_LONGEST - _SHORTEST) / (_LENGTHS - 1)
    clips = subject.clips([_SHORTEST + index * step for index in range(_LENGTHS)])
    with subject.server(options.out, ASR_WINDOW_SECONDS=_LONGEST, ASR_PROFILE=TUNED) as server:
        outcomes, series = uvloop.run(_soak(server, clips, options.minutes * 60))
    with (options.out / "memory.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("process", "minutes", "pss_mib"))
        writer.writerows((name, *point) for name, points in series.items() for point in points)
    title = f"{subject.model.name}, clips of {_SHORTEST:g} to {_LONGEST:g} s"
    with drawing(options.out / "plot.png", title) as axes:
        for name, points in series.items():
            axes.plot([minutes for minutes, _ in points], [found for _, found in points], label=name)
        axes.set(xlabel="minutes", ylabel="PSS, MiB", ylim=(0, None))
        axes.legend(fontsize="small")
    return _verdict(outcomes, series, options)


def growth(points: Sequence[tuple[float, float]], minutes: float) -> float:
    """MiB a minute after the warm-up of a test that lasts so many minutes."""
    warm = [point for point in points if point[0] >= _WARM_UP * minutes]
    return linear_regression(*zip(*warm, strict=True)).slope if len(warm) > 1 else 0.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add those of this command."""
    parser.add_argument("--minutes", type=at_least(0.1), default=10.0, help="(default: 10)")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "build" / "soak", metavar="DIR")


async def _soak(server: GunicornServer, clips: Sequence[Clip], seconds: float) -> tuple[list[Outcome], Series]:
    mean = sum(clip.seconds for clip in clips) / len(clips)
    # By a clip of middling length: how long a second of audio takes changes little with length.
    middling = min(clips, key=lambda clip: abs(clip.seconds - mean))
    with Client(server.address) as client:
        rate = _LOAD * await saturated_rate(client, [middling], 16, min(8.0, seconds))
        arrivals = poisson_arrivals(rate, seconds, seed=6)
        shuffled = [clips[index * 37 % len(clips)] for index in range(len(clips))]  # 37 and their number: no divisor
        watching = asyncio.create_task(_watch(server, seconds))
        with tqdm(total=len(arrivals), unit="clip", disable=None) as bar:
            outcomes = await open_loop(client, shuffled, arrivals, bar.update)
        return outcomes, await watching


async def _watch(server: GunicornServer, seconds: float) -> Series:
    started = time.monotonic()
    series: Series = {}
    while (elapsed := time.monotonic() - started) < seconds:
        named = {f"lane {lane.pid}": lane for lane in server.lanes()}
        named |= {f"worker {worker.pid}": worker for worker in server.workers()}
        for name, process in named.items():
            try:
                series.setdefault(name, []).append((elapsed / 60, mebibytes(process)))
            except psutil.Error:
                continue  # it ended just now
        await asyncio.sleep(_SAMPLE_SECONDS)
    return series


def _verdict(
    outcomes: Sequence[Outcome], series: Mapping[str, Sequence[tuple[float, float]]], options: argparse.Namespace
) -> int:
    grown = {name: growth(points, options.minutes) for name, points in series.items()}
    for name, points in series.items():
        most = max(found for _, found in points)
        print(f"{name:14} PSS {points[-1][1]:6.0f} MiB, at most {most:6.0f}   {grown[name]:+6.2f} MiB a minute")
    summary = summarise(outcomes, options.minutes * 60)
    print(f"{summary}\nmemory.csv and plot.png are in {options.out}")
    passed = summary.passed and all(most <= _MOST_GROWTH for name, most in grown.items() if name.startswith("lane"))
    print("passed" if passed else f"FAILED: at most {_MOST_GROWTH:g} MiB a minute a lane, nothing lost, no text wrong")
    return 0 if passed else 1
