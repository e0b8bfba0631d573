"""`python -m tools.capacity --p95 2.0`: the highest rate of 5-second clips that is served in time.

Clips come as strangers do, at random moments (a Poisson process, always the same one) and never waiting
for each other. The rate that still passes is found by bisection.
"""

import argparse
import math
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import uvloop
from tqdm import tqdm

from inference.errors import InferenceError
from inference.loading import load
from inference.package import load_package
from tools import plots
from tools.client import Client
from tools.clips import REPOSITORY, Clip, make_clips
from tools.command_line import add_model, at_least
from tools.load import Summary, closed_loop, completed_rate, open_loop, poisson_arrivals, summarise
from tools.local_server import LocalServer, ServerFailed

CLIP_SECONDS = 5.0
_SEED = 5
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_CONNECTIONS = 16  # enough to keep eight lanes busy with one clip running and one waiting each
_MOST_RATE = 1000.0  # clips a second; what a typing error could ask of a server ends here


@dataclass(frozen=True, slots=True)
class Trial:
    """One rate, tried."""

    rate: float
    """Clips a second."""
    p95: float
    """Seconds; infinite where a request was refused, late or lost, since no answer is the slowest answer."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Bisect, print and plot; return 0, 1 where no rate passes or a text was wrong, 2 where there is no server."""
    options = _parser().parse_args(arguments)
    try:
        with ExitStack() as stack:
            pipeline = load(load_package(options.model), precision=options.precision)
            clips = make_clips(pipeline, [CLIP_SECONDS] * 8, limit_seconds=10.0)
            host, port = _server(options, stack)
            trials = uvloop.run(_find(host, port, clips, options))
    except (InferenceError, ServerFailed, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    except WrongText as error:
        print(error, file=sys.stderr)
        return 1
    plots.rates(
        [(trial.rate, trial.p95) for trial in trials if math.isfinite(trial.p95)],
        options.p95,
        options.plot,
        f"{options.model.name}, {CLIP_SECONDS:g} s clips",
    )
    best = max((trial.rate for trial in trials if trial.p95 <= options.p95), default=0.0)
    print(report(best, options.p95))
    return 0 if best else 1


class WrongText(Exception):
    """The server answered another text than the library."""


async def bisect(
    measure: Callable[[float], Awaitable[float]], target: float, first: float, precision: float = 0.05
) -> list[Trial]:
    """Try rates until the highest that passes is known to `precision`; return all trials in order.

    `measure` gives the p95 in seconds at a rate. `first` is doubled or halved until the answer lies between two
    rates; where even a hundredth of it fails, there is none.
    """
    trials: list[Trial] = []
    passes, fails = 0.0, math.inf
    rate = first
    while fails - passes > precision * max(passes, first / 100) and first / 100 <= rate <= _MOST_RATE:
        trials.append(Trial(rate, await measure(rate)))
        if trials[-1].p95 <= target:
            passes = rate
        else:
            fails = rate
        rate = 2 * passes if math.isinf(fails) else fails / 2 if not passes else (passes + fails) / 2
    return trials


async def saturated_rate(client: Client, clips: Sequence[Clip], seconds: float) -> float:
    """Clips a second when there is always a next one waiting."""
    return completed_rate(await closed_loop(client, clips, _CONNECTIONS, seconds))


def report(rate: float, p95: float) -> str:
    """Say a rate in clips a second in the three ways in which people ask for it."""
    if not rate:
        return f"no rate is served with p95 ≤ {p95:g} s"
    audio = rate * CLIP_SECONDS
    return (
        f"p95 ≤ {p95:g} s up to {rate:.2f} clips of {CLIP_SECONDS:g} s a second:\n"
        f"  {int(audio)} streams of continuous speech, cut into such clips\n"
        f"  {audio:.1f} audio seconds per second\n"
        f"  {60 * rate:.0f} requests per minute"
    )


async def _find(host: str, port: int, clips: Sequence[Clip], options: argparse.Namespace) -> list[Trial]:
    client = Client(host, port)
    first = await saturated_rate(client, clips, min(options.seconds, 5.0)) or 1.0
    bar = tqdm(unit="rate", disable=None)

    async def measure(rate: float) -> float:
        bar.set_description(f"{rate:.2f} clips/s")
        answers = await open_loop(client, clips, poisson_arrivals(rate, options.seconds, _SEED))
        summary = summarise(answers, options.seconds)
        if summary.wrong:
            raise WrongText(f"{summary.wrong} of {summary.sent} texts differ from the library's; is it the same model?")
        bar.update()
        p95 = _p95_of_all(summary)
        tqdm.write(f"{rate:7.2f} clips/s   p95 {p95:6.2f} s   {summary.good} good, {summary.refused} refused")
        return p95

    try:
        return await bisect(measure, options.p95, first)
    finally:
        bar.close()
        client.close()


def _p95_of_all(summary: Summary) -> float:
    """The p95, where at least 95 % of the requests were answered well; one refused in a hundred is no failure."""
    return summary.p95 if summary.good >= 0.95 * summary.sent > 0 else math.inf


def _server(options: argparse.Namespace, stack: ExitStack) -> tuple[str, int]:
    if options.url is None:
        settings = {"ASR_MODEL": options.model.resolve(), "ASR_PRECISION": options.precision}
        server = stack.enter_context(LocalServer({**settings, "ASR_PROFILE": REPOSITORY / "build" / "tuned.yaml"}))
        return server.host, server.port
    address = urlsplit(options.url)
    if address.scheme != "http" or address.hostname is None:
        raise ServerFailed(f"--url {options.url}: give http://HOST:PORT")
    if address.hostname not in _LOOPBACK and not options.elsewhere:
        raise ServerFailed(f"{address.hostname} is another machine: say --elsewhere if it is yours to load")
    return address.hostname, address.port or 80


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.capacity", description=__doc__)
    add_model(parser)
    parser.add_argument("--p95", type=at_least(0.01), default=2.0, help="target in seconds (default: 2)")
    parser.add_argument("--seconds", type=at_least(1), default=20.0, help="of each trial (default: 20)")
    parser.add_argument("--url", help="of a running server with the same model (default: one of its own)")
    parser.add_argument("--elsewhere", action="store_true", help="let --url be on another machine")
    parser.add_argument("--plot", type=Path, default=REPOSITORY / "build/capacity.png", metavar="FILE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
