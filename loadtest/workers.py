"""Two workers with a lane each beside one worker with two: throughput, and p95 at 0.8 of capacity.

The servers take turns. Clips come on a connection for each, and again through a balancer that keeps four connections
for all, which pin requests to workers.
"""

import argparse
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

import uvloop
from tqdm import tqdm

from loadtest.harness import CLIP_SECONDS
from loadtest.harness.client import Client, Connecting
from loadtest.harness.clips import Clip
from loadtest.harness.load import open_loop, poisson_arrivals, saturated_rate
from loadtest.harness.outcomes import summarise
from loadtest.harness.server import GunicornServer
from loadtest.harness.statistics import percentile, ratio_of_sums
from loadtest.harness.subject import Subject, at_least, chosen_subject

_LOAD = 0.8
_CLIENTS = 8
_WAYS: Mapping[str, Connecting] = {
    "new connections": Connecting(keep=False),
    "four long ones": Connecting(most=4),
}


def main(options: argparse.Namespace) -> int:
    """Measure, and print."""
    for way, found in compare(chosen_subject(options), options.rounds, options.seconds).items():
        print(f"2 workers × 1 lane ÷ 1 × 2, {way}: {found}")
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add those of this command."""
    parser.add_argument("--seconds", type=at_least(1), default=10.0, help="of each measurement (default: 10)")
    parser.add_argument("--rounds", type=at_least(1, int), default=5, help="(default: 5)")


def compare(subject: Subject, rounds: int, seconds: float) -> dict[str, str]:
    """Ratios of throughput and p95 for each way of connecting; raise WrongText for a wrong text."""
    clips = subject.clips([CLIP_SECONDS] * 8)
    with ExitStack() as stack:
        one, two = (
            stack.enter_context(subject.server(ASR_WORKERS=workers, ASR_LANES=lanes, ASR_THREADS=1))
            for workers, lanes in ((1, 2), (2, 1))
        )
        return {name: uvloop.run(_in_turns((one, two), clips, name, rounds, seconds)) for name in _WAYS}


async def _in_turns(
    servers: tuple[GunicornServer, GunicornServer], clips: Sequence[Clip], way: str, rounds: int, seconds: float
) -> str:
    rates: list[list[float]] = [[], []]
    waits: list[list[float]] = [[], []]
    for number in tqdm(range(rounds), desc=way, unit="round", disable=None):
        for server, found in zip(servers, rates, strict=True):
            with Client(server.address, how=_WAYS[way]) as client:
                found.append(await saturated_rate(client, clips, _CLIENTS, seconds))
        arrivals = poisson_arrivals(_LOAD * max(rates[0]), seconds, seed=number)
        for server, waited in zip(servers, waits, strict=True):
            with Client(server.address, how=_WAYS[way]) as client:
                outcomes = await open_loop(client, clips, arrivals)
            summarise(outcomes, seconds).check()
            waited += [outcome.seconds if outcome.kind == "good" else float("inf") for outcome in outcomes]
    throughput = ratio_of_sums(rates[1], rates[0])
    one, two = (percentile(waited, 95) for waited in waits)
    return f"{throughput}, {two / one:.2f} ({1000 * two:.0f} and {1000 * one:.0f} ms)"
