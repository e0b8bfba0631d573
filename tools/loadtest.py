"""`python -m tools.loadtest SCENARIO`: a server of its own, Locust without a window, a report and a verdict.

Ends with 1 where a text differs from the library's or a request was lost.
"""

import argparse
import itertools
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

from inference.errors import InferenceError
from inference.loading import load
from inference.package import load_package
from tools import plots
from tools.capacity import CLIP_SECONDS, saturated_rate
from tools.chaos import Killer, seconds_until_back
from tools.client import Client
from tools.clips import REPOSITORY, Clip, make_clips, spread_lengths, write_clips
from tools.command_line import add_model, at_least
from tools.local_server import LocalServer, ServerFailed
from tools.outcomes import judge, read_outcomes
from tools.statistics import percentile

_SCENARIOS = ("steady", "burst", "overload", "slow-clients", "mixed-lengths", "chaos")
_SLOW_CLIENTS = 20
_LIMIT_SECONDS = 10.0  # the server's default ASR_CLIP_SECONDS
_STOP_SECONDS = 90.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one scenario; return 0, 1 where it failed, 2 where it could not be run."""
    options = _parser().parse_args(arguments)
    directory = options.out / options.scenario
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    try:
        return _run(options, directory)
    except (InferenceError, ServerFailed) as error:
        print(error, file=sys.stderr)
        return 2


def _run(options: argparse.Namespace, directory: Path) -> int:
    settings = {"ASR_MODEL": options.model.resolve(), "ASR_PRECISION": options.precision}
    pipeline = load(load_package(options.model), precision=options.precision)
    standard = make_clips(pipeline, [CLIP_SECONDS] * 8, _LIMIT_SECONDS)
    mixed = options.scenario == "mixed-lengths"
    clips = make_clips(pipeline, spread_lengths(0.2, 12.0, 32), _LIMIT_SECONDS) if mixed else standard
    write_clips(clips, directory / "clips")
    settings["ASR_PROFILE"] = REPOSITORY / "build" / "tuned.yaml"
    kills: list[float] = []
    with LocalServer(settings, log=directory / "server.log") as server:
        capacity = options.capacity or uvloop.run(_capacity(server, standard, min(5.0, options.seconds)))
        print(f"{options.scenario}: {options.model.name} can do {capacity:.1f} audio seconds a second here")
        with ExitStack() as stack:
            if options.scenario == "chaos":
                kills = stack.enter_context(Killer(server)).kills
            code = _locust(options, server.url, capacity, directory)
    if code:
        print(f"Locust ended with {code}: see {directory / 'locust.log'}", file=sys.stderr)
        return 2
    return _verdict(options, directory, kills)


async def _capacity(server: LocalServer, clips: Sequence[Clip], seconds: float) -> float:
    client = Client(server.host, server.port)
    try:
        return CLIP_SECONDS * await saturated_rate(client, clips, seconds)
    finally:
        client.close()


def _locust(options: argparse.Namespace, url: str, capacity: float, directory: Path) -> int:
    slow = _SLOW_CLIENTS if options.scenario == "slow-clients" else 0
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
            return _wait(locust, options.seconds)
        finally:
            locust.kill()


def _wait(locust: subprocess.Popen[bytes], seconds: float) -> int:
    end = time.monotonic() + seconds + _STOP_SECONDS
    total = math.ceil(seconds)
    with tqdm(total=total, unit="s", disable=None) as bar:
        for elapsed in itertools.count():
            if locust.poll() is not None or time.monotonic() > end:
                break
            time.sleep(1)
            bar.update(elapsed < total)
    return 1 if locust.returncode is None else locust.returncode


def _verdict(options: argparse.Namespace, directory: Path, kills: list[float]) -> int:
    rows = read_outcomes(directory / "outcomes.csv")
    verdict = judge(rows, options.seconds)
    title = f"{options.scenario}, {options.model.name}"
    plots.latency_and_goodput(rows, directory / "plot.png", title)
    print(f"{options.scenario}: {verdict}")
    if kills:
        back = seconds_until_back(kills, directory / "server.log")
        print(
            f"{len(kills)} lanes killed; back in service after {percentile(back, 50):.2f} s (median), "
            f"{max(back, default=math.nan):.2f} s (most)"
        )
    print(f"report.html, locust_*.csv, outcomes.csv and plot.png are in {directory}")
    if not verdict.kinds["good"]:
        print("not one request was answered with its text", file=sys.stderr)
    return 0 if verdict.passed and verdict.kinds["good"] else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.loadtest", description=__doc__)
    add_model(parser)
    parser.add_argument("scenario", choices=_SCENARIOS)
    parser.add_argument("--seconds", type=at_least(1), default=60.0, help="of load (default: 60)")
    parser.add_argument("--capacity", type=at_least(0.1), help="audio seconds a second (default: measured first)")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "build" / "loadtest", metavar="DIR")
    return parser


if __name__ == "__main__":
    sys.exit(main())
