"""The highest rate of 5-second clips that is served in time.

Clips come as strangers do, at random moments (a Poisson process, always the same one) and never waiting
for each other. The rate that still passes is found by bisection. What `python -m loadtest simulate` has to know of the
machine is measured before, with clips of several lengths, and written to build/machine.json.
"""

import argparse
import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import uvloop
from tqdm import tqdm

from loadtest.harness import CLIP_SECONDS, REPOSITORY
from loadtest.harness.client import Address, Client
from loadtest.harness.clips import Clip
from loadtest.harness.load import open_loop, poisson_arrivals, saturated_rate
from loadtest.harness.outcomes import summarise
from loadtest.harness.page import describe
from loadtest.harness.plots import drawing
from loadtest.harness.server import ServerFailed
from loadtest.harness.subject import TUNED, Subject, at_least, chosen_subject
from loadtest.simulation.machine import UnknownMachine
from loadtest.simulation.measure import LENGTHS, MEASURED, measure

_SEED = 5
_CLIENTS = 16  # enough to keep eight lanes busy with one clip running and one waiting each
_MOST_RATE = 1000.0  # clips a second; what a typing error could ask of a server ends here
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}

Trials = list[tuple[float, float]]
"""Clips a second, and the p95 in seconds at that rate; infinite where one in twenty was not answered well."""


def main(options: argparse.Namespace) -> int:
    """Bisect, print and draw; return 1 where no rate passes."""
    subject = chosen_subject(options)
    with ExitStack() as stack:
        if options.url:
            address = _address(options.url, elsewhere=options.elsewhere)
            clips = subject.clips([CLIP_SECONDS] * 8)
        else:
            clips = subject.clips([CLIP_SECONDS] * 8)
            address = stack.enter_context(subject.server(ASR_PROFILE=TUNED)).address
        _write_machine(address, subject, options)
        trials = find(address, clips, options.p95, options.seconds)
    tried = sorted(trial for trial in trials if math.isfinite(trial[1]))
    with drawing(options.plot, f"{subject.model.name}, {CLIP_SECONDS:g} s clips") as axes:
        axes.plot([rate for rate, _ in tried], [p95 for _, p95 in tried], "o-")
        axes.axhline(options.p95, color="tab:red", linestyle="--", label=f"target {options.p95:g} s")
        axes.set(xlabel="clips a second", ylabel="p95 latency, s", ylim=(0, None))
        axes.legend()
    best = max((rate for rate, p95 in trials if p95 <= options.p95), default=0.0)
    print(_report(best, options.p95))
    return 0 if best else 1


def _write_machine(address: Address, subject: Subject, options: argparse.Namespace) -> None:
    name = f"{subject.model.name}, {subject.precision}, {describe()}"
    try:
        machine = uvloop.run(measure(address, subject.clips(LENGTHS), options.seconds, name))
        machine.write(options.machine)
    except UnknownMachine as error:
        print(f"nothing to simulate with: {error}")
        return
    print(
        f"{machine.lanes} lanes: {1000 * machine.fixed:.1f} ms a clip and {1000 * machine.per_audio_second:.1f} ms for "
        f"each second of it, {1000 * machine.between:.1f} ms between two, {1000 * machine.around:.1f} ms around each; "
        f"alone, {machine.crowding:.2f} times as fast ({options.machine})"
    )


def find(address: Address, clips: Sequence[Clip], target: float, seconds: float) -> Trials:
    """Bisect on a running server, with trials of so many seconds; raise WrongText for a wrong text."""
    bar = tqdm(unit="rate", disable=None)

    async def measure(rate: float) -> float:
        bar.set_description(f"{rate:.2f} clips/s")
        with Client(address) as client:
            outcomes = await open_loop(client, clips, poisson_arrivals(rate, seconds, _SEED))
        found = summarise(outcomes, seconds).check()
        bar.update()
        tqdm.write(f"{rate:7.2f} clips/s: {found}")
        return found.p95 if found.kinds["good"] >= 0.95 * found.sent > 0 else math.inf

    async def search() -> Trials:
        with Client(address) as client:
            first = await saturated_rate(client, clips, _CLIENTS, min(seconds, 5.0)) or 1.0
        return await bisect(measure, target, first)

    try:
        return uvloop.run(search())
    finally:
        bar.close()


async def bisect(
    measure: Callable[[float], Awaitable[float]], target: float, first: float, precision: float = 0.05
) -> Trials:
    """Try rates until the highest that passes is known to `precision`; return all trials in order.

    `measure` gives the p95 in seconds at a rate. `first` is doubled or halved until the answer lies between two
    rates; where even a hundredth of it fails, there is none.
    """
    trials: Trials = []
    passes, fails = 0.0, math.inf
    rate = first
    while fails - passes > precision * max(passes, first / 100) and first / 100 <= rate <= _MOST_RATE:
        trials.append((rate, await measure(rate)))
        if trials[-1][1] <= target:
            passes = rate
        else:
            fails = rate
        rate = 2 * passes if math.isinf(fails) else fails / 2 if not passes else (passes + fails) / 2
    return trials


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add those of this command."""
    parser.add_argument("--p95", type=at_least(0.01), default=2.0, help="target in seconds (default: 2)")
    parser.add_argument("--seconds", type=at_least(1), default=20.0, help="of each trial (default: 20)")
    parser.add_argument("--url", help="of a running server with the same model (default: one of its own)")
    parser.add_argument("--elsewhere", action="store_true", help="let --url be on another machine")
    parser.add_argument("--machine", type=Path, default=MEASURED, metavar="FILE", help="for simulate")
    parser.add_argument("--plot", type=Path, default=REPOSITORY / "build/capacity.png", metavar="FILE")


def _address(url: str, *, elsewhere: bool) -> Address:
    found = urlsplit(url)
    if found.scheme != "http" or found.hostname is None:
        raise ServerFailed(f"--url {url}: give http://HOST:PORT")
    if found.hostname not in _LOOPBACK and not elsewhere:
        raise ServerFailed(f"{found.hostname} is another machine: say --elsewhere if it is yours to load")
    return found.hostname, found.port or 80


def _report(rate: float, p95: float) -> str:
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
