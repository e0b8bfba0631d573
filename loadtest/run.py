"""A load test: a server of its own, Locust without a window, a report and a verdict.

Capacity is measured first, in five seconds. Ends with 1 where a text differs from the library's or a request was lost.
"""

import argparse
import math
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import uvloop
from tqdm import tqdm

from loadtest.chaos import Killer, seconds_until_back
from loadtest.harness import CLIP_SECONDS, REPOSITORY
from loadtest.harness.client import Client
from loadtest.harness.clips import Clip, write_clips
from loadtest.harness.load import saturated_rate
from loadtest.harness.outcomes import Outcome, summarise
from loadtest.harness.plots import drawing
from loadtest.harness.server import GunicornServer, ServerFailed
from loadtest.harness.statistics import percentile
from loadtest.harness.subject import TUNED, at_least, chosen_subject
from loadtest.recorder import read_outcomes
from loadtest.scenarios import SCENARIOS

_STOP_SECONDS = 90.0
_MIXED_LENGTHS = [0.2 + index * 9.8 / 31 for index in range(32)]  # seconds, below ASR_WINDOW_SECONDS


def main(options: argparse.Namespace) -> int:
    """Run one scenario; return 1 where it failed."""
    subject = chosen_subject(options)
    directory = options.out / options.scenario
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    standard = subject.clips([CLIP_SECONDS] * 8)
    write_clips(subject.clips(_MIXED_LENGTHS) if options.scenario == "mixed-lengths" else standard, directory / "clips")
    with ExitStack() as stack:
        server = stack.enter_context(subject.server(directory, ASR_PROFILE=TUNED))
        capacity = options.capacity or uvloop.run(_capacity(server, standard, min(5.0, options.seconds)))
        print(f"{options.scenario}: {subject.model.name} can do {capacity:.1f} audio seconds a second here")
        killer = Killer(server)
        if options.scenario == "chaos":
            stack.enter_context(killer)
        _locust(options, server.url, capacity, directory)
    if killer.kills:
        back = seconds_until_back(killer.kills, server.logged("lane ready"))
        print(
            f"{len(killer.kills)} lanes killed; back in service after {percentile(back, 50):.2f} s (median), "
            f"{max(back, default=math.nan):.2f} s (most)"
        )
    outcomes = read_outcomes(directory / "outcomes.csv")
    verdict = summarise(outcomes, options.seconds)
    _draw(outcomes, directory / "plot.png", f"{options.scenario}, {subject.model.name}")
    print(f"{options.scenario}: {verdict}\nreport.html, locust_*.csv, outcomes.csv and plot.png are in {directory}")
    return 0 if verdict.passed else 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add those of this command."""
    parser.add_argument("scenario", choices=sorted(SCENARIOS))
    parser.add_argument("--seconds", type=at_least(1), default=60.0, help="of load (default: 60)")
    parser.add_argument("--capacity", type=at_least(0.1), help="audio seconds a second (default: measured first)")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "build" / "loadtest", metavar="DIR")


async def _capacity(server: GunicornServer, clips: Sequence[Clip], seconds: float) -> float:
    with Client(server.address) as client:
        return CLIP_SECONDS * await saturated_rate(client, clips, 16, seconds)


def _locust(options: argparse.Namespace, url: str, capacity: float, directory: Path) -> None:
    slow = SCENARIOS[options.scenario].slow_clients
    users = ["Arrivals", "Probe", *(["SlowClient"] if slow else [])]
    command = [
        *(sys.executable, "-m", "locust", "-f", "loadtest/locustfile.py", "--headless", "--only-summary"),
        *("--host", url, "--users", str(2 + slow), "--spawn-rate", str(2 + slow), "--stop-timeout", "70"),
        *("--run-time", f"{math.ceil(options.seconds)}s", "--exit-code-on-error", "0"),
        *("--html", directory / "report.html", "--csv", directory / "locust"),
        *("--scenario", options.scenario, "--clips", directory / "clips", "--capacity", str(capacity)),
        *("--outcomes", directory / "outcomes.csv", *users),
    ]
    with (directory / "locust.log").open("wb") as log:
        locust = subprocess.Popen(  # noqa: S603 - our own interpreter
            [str(part) for part in command], cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            code = _wait(locust, math.ceil(options.seconds))
        finally:
            locust.kill()
            locust.wait()
    if code:
        raise ServerFailed(f"Locust ended with {code}: see {directory / 'locust.log'}")


def _wait(locust: subprocess.Popen[bytes], seconds: int) -> int | None:
    end = time.monotonic() + seconds + _STOP_SECONDS
    with tqdm(total=seconds, unit="s", disable=None) as bar:
        while locust.poll() is None and time.monotonic() < end:
            time.sleep(1)
            bar.update(bar.n < seconds)
    return 1 if locust.returncode is None else locust.returncode


def _draw(outcomes: Sequence[Outcome], path: Path, title: str) -> None:
    """One dot for each request by its kind, and the good ones of each second."""
    with drawing(path, title, rows=2) as (upper, lower):
        for kind in sorted({outcome.kind for outcome in outcomes}):
            chosen = [outcome for outcome in outcomes if outcome.kind == kind]
            seconds = [max(outcome.seconds, 1e-4) for outcome in chosen]
            upper.plot([outcome.due for outcome in chosen], seconds, ".", markersize=3, label=f"{kind} ({len(chosen)})")
        upper.set_yscale("log")
        upper.set_ylabel("latency, s")
        upper.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
        if good := [outcome.done for outcome in outcomes if outcome.kind == "good"]:
            lower.hist(good, bins=range(int(max(good)) + 2), histtype="step")
        lower.set(ylabel="good answers a second", xlabel="seconds")
