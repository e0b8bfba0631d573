"""`python -m tools.figures`: what the server costs, beside the bare library on the same machine in the same run.

Rounds of the two alternate, so that a machine that slows down slows both; only the ratios are worth keeping.
"""

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from statistics import mean

import uvloop
from tqdm import tqdm

from inference.cpu import usable_cpus
from inference.errors import InferenceError
from inference.loading import load
from inference.model import SessionOptions
from inference.package import load_package
from tools.bare import BareLibrary
from tools.client import Answer, Client
from tools.clips import Clip, make_clips
from tools.command_line import add_model, at_least
from tools.load import closed_loop, completed_rate, rate_within, summarise
from tools.local_server import LocalServer, ServerFailed
from tools.overload import Schedule, alternate
from tools.probe import Probe
from tools.process_memory import process_memory
from tools.processor_time import ProcessorTime
from tools.statistics import median, percentile, ratio_of_sums

_CLIP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Bench:
    """What every figure is measured with."""

    options: argparse.Namespace
    clips: Sequence[Clip]
    stack: ExitStack

    @property
    def sounds(self) -> list[bytes]:
        """The clips' bytes."""
        return [clip.data for clip in self.clips]

    def rounds(self) -> "tqdm[int]":
        """Count rounds under a progress bar."""
        return tqdm(range(self.options.rounds), unit="round", disable=None)

    def server(self, lanes: int) -> LocalServer:
        """Start a server with so many lanes."""
        options = self.options
        settings = {"ASR_MODEL": options.model.resolve(), "ASR_PRECISION": options.precision, "ASR_LANES": lanes}
        return self.stack.enter_context(LocalServer({**settings, "ASR_WORKERS": 1, "ASR_THREADS": options.threads}))

    def library(self, processes: int) -> BareLibrary:
        """Start so many processes of the bare library."""
        options = self.options
        session = SessionOptions(threads=options.threads)
        library = self.stack.enter_context(BareLibrary(options.model, processes, session, precision=options.precision))
        library.work(self.sounds, 0.0)  # the first call of a process allocates
        return library

    def saturate(self, server: LocalServer, lanes: int) -> float:
        """Clips a second of a server that never waits for work."""
        answers = uvloop.run(_closed(server, self.clips, 2 * lanes, self.options.seconds))
        _check(answers)
        return completed_rate(answers)


class WrongText(Exception):
    """A text differs from the library's."""


def throughput(bench: Bench) -> None:
    """Clips a second: server, library, ratio; and who had the processors meanwhile."""
    lanes = bench.options.lanes
    server, library = bench.server(lanes), bench.library(lanes)
    bench.saturate(server, lanes)
    groups = _groups(server)
    served, called, shares = [], [], []
    for _ in bench.rounds():
        with ProcessorTime(usable_cpus(), {"library": library.pids}) as of_library:
            called.append(library.rate(bench.sounds, bench.options.seconds))
        with ProcessorTime(usable_cpus(), groups) as of_server:
            served.append(bench.saturate(server, lanes))
        shares.append(of_library.shares | of_server.shares)
    taken = _medians(shares)
    print(
        f"throughput, {lanes} lanes × {bench.options.threads} threads: server {median(served):.2f}, "
        f"library {median(called):.2f} clips/s; ratio {_ratio(served, called)}\n"
        f"  of the processors' time: {_told(taken)}; lanes ÷ library {taken['lanes'] / taken['library']:.3f}"
    )


def latency(bench: Bench) -> None:
    """Milliseconds that one request on an idle server takes over one call of the library.

    Where a process's memory happens to lie makes a call some milliseconds faster or slower for as long as the process
    lives, so each round has a server and a library of its own.
    """
    requests: list[Answer] = []
    calls: list[float] = []
    rounds: list[str] = []
    for _ in bench.rounds():
        with ExitStack() as stack:
            fresh = replace(bench, stack=stack)
            answers, durations = uvloop.run(_in_turn(fresh.server(bench.options.lanes), fresh.library(1), bench))
        requests += answers
        calls += durations
        rounds.append(f"{1000 * median(_added(answers, durations)):.1f}")
    _check(requests)
    around = [request.seconds - request.processing for request in requests]
    print(
        f"one clip: library {1000 * median(calls):.1f} ms, added by the server "
        f"{1000 * median(_added(requests, calls)):.1f} ms (median of {len(calls)} pairs; rounds {', '.join(rounds)}); "
        f"spent outside the lane's stages {1000 * median(around):.1f} ms"
    )


def _added(requests: Sequence[Answer], calls: Sequence[float]) -> list[float]:
    return [request.seconds - call for request, call in zip(requests, calls, strict=True)]


def overload(bench: Bench) -> None:
    """Goodput, 429s, health and deadlines at five times capacity, in turns with capacity."""
    lanes = bench.options.lanes
    server = bench.server(lanes)
    bench.saturate(server, lanes)
    schedule = Schedule(bench.saturate(server, lanes), bench.options.rounds, bench.options.seconds)
    with Probe(server.host, server.port) as probe:
        answers, turns = uvloop.run(alternate(server, bench.clips, schedule, _groups(server)))
    _check(answers)
    calm, flooded = ([turn for turn in turns if turn.flooded == kind] for kind in (False, True))
    at_capacity, at_overload = (
        [rate_within(answers, turn.start, turn.end) for turn in kind] for kind in (calm, flooded)
    )
    before, meanwhile = (_means([turn.shares for turn in kind]) for kind in (calm, flooded))
    ratio, low, high = ratio_of_sums(at_overload, at_capacity)
    healthz = [seconds for asked, seconds in probe.latencies if any(turn.start < asked < turn.end for turn in flooded)]
    summary = summarise(answers, turns[-1].end - turns[0].start)
    print(
        f"overload: goodput {mean(at_overload):.2f}, at capacity {mean(at_capacity):.2f} clips/s; "
        f"ratio {ratio:.3f}, 95 % [{low:.3f}, {high:.3f}], {bench.options.rounds} rounds\n"
        f"  of the processors' time: {_told(meanwhile)}; at capacity: {_told(before)}; "
        f"lanes {meanwhile['lanes'] / before['lanes']:.3f}\n"
        f"  {summary.sent} sent, {summary.good} good, {summary.refused} refused, {summary.failed} failed, "
        f"{summary.lost} lost; p50 of a good one {summary.p50:.2f} s\n"
        f"  429: p99 {1000 * summary.refused_p99:.1f} ms\n"
        f"  healthz: p50 {1000 * percentile(healthz, 50):.1f}, p99 {1000 * percentile(healthz, 99):.1f} ms\n"
        f"  deadline misses: {summary.late} of {summary.sent - summary.refused} admitted"
    )


def scaling(bench: Bench) -> None:
    """Throughput of twice the lanes, for the server and for the library."""
    most = bench.options.lanes
    servers = {lanes: bench.server(lanes) for lanes in (1, most)}
    library = bench.library(most)
    served: dict[int, list[float]] = {1: [], most: []}
    called: dict[int, list[float]] = {1: [], most: []}
    for _ in bench.rounds():
        for lanes, server in servers.items():
            called[lanes].append(library.rate(bench.sounds, bench.options.seconds, lanes))
            served[lanes].append(bench.saturate(server, lanes))
    print(
        f"from 1 lane to {most}: server × {median(served[most]) / median(served[1]):.2f}, "
        f"library × {median(called[most]) / median(called[1]):.2f}"
    )


def memory(bench: Bench) -> None:
    """Show what the first lane and each further one costs."""
    most = bench.options.lanes
    sums = []
    for lanes in (1, most):
        with ExitStack() as stack:  # one server at a time: two would share the weights and look small
            server = replace(bench, stack=stack).server(lanes)
            bench.saturate(server, lanes)
            found = [process_memory(pid) for pid in server.lane_pids()]
        sums.append(sum(lane.pss for lane in found))
        own = max(lane.anonymous for lane in found)
    further = (sums[1] - sums[0]) / (most - 1) if most > 1 else math.nan
    print(f"PSS: first lane {sums[0]:.0f} MiB, each further one {further:.0f} MiB, of which its own {own:.0f} MiB")


FIGURES: dict[str, Callable[[Bench], None]] = {
    figure.__name__: figure for figure in (throughput, latency, overload, scaling, memory)
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for; return 0, 1 for a wrong text, 2 where it could not be run."""
    options = _parser().parse_args(arguments)
    try:
        session = SessionOptions(threads=options.threads)
        # It must be gone before memory is measured: it maps the weights that the lanes map.
        loaded = load(load_package(options.model), session, options.precision)
        clips = make_clips(loaded.pipeline, [_CLIP_SECONDS] * 8, limit_seconds=10.0)
        del loaded
        for name in options.figures or FIGURES:
            with ExitStack() as stack:
                FIGURES[name](Bench(options, clips, stack))
    except (InferenceError, ServerFailed) as error:
        print(error, file=sys.stderr)
        return 2
    except WrongText as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _groups(server: LocalServer) -> dict[str, list[int]]:
    return {"lanes": server.lane_pids(), "worker": server.worker_pids(), "client": [os.getpid()]}


def _ratio(mine: Sequence[float], other: Sequence[float]) -> str:
    """Median and range of the rounds' ratios."""
    ratios = [one / two for one, two in zip(mine, other, strict=True)]
    return f"{median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"


def _medians(shares: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: median([each[name] for each in shares]) for name in shares[0]}


def _means(shares: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: mean([each[name] for each in shares]) for name in shares[0]}


def _told(shares: dict[str, float]) -> str:
    return ", ".join(f"{name} {share:.1f} %" for name, share in shares.items())


def _check(answers: Sequence[Answer]) -> None:
    wrong = sum(answer.status == 200 and not answer.correct for answer in answers)
    if wrong:
        raise WrongText(f"{wrong} of {len(answers)} texts differ from the library's")


async def _closed(server: LocalServer, clips: Sequence[Clip], connections: int, seconds: float) -> list[Answer]:
    client = Client(server.host, server.port)
    try:
        return await closed_loop(client, clips, connections, seconds)
    finally:
        client.close()


async def _in_turn(server: LocalServer, library: BareLibrary, bench: Bench) -> tuple[list[Answer], list[float]]:
    client = Client(server.host, server.port)
    requests, calls = [], []
    for index in range(bench.options.pairs):
        clip = bench.clips[index % len(bench.clips)]
        calls.append(library.call(clip.data))
        requests.append(await client.transcribe(clip))
    client.close()
    return requests, calls


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.figures", description=__doc__)
    add_model(parser)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"of {', '.join(FIGURES)} (default: all)")
    parser.add_argument("--lanes", type=at_least(1, int), default=usable_cpus(), help="(default: all processors)")
    parser.add_argument("--threads", type=at_least(1, int), default=1, help="of a lane (default: 1)")
    parser.add_argument("--seconds", type=at_least(2), default=10.0, help="of each measurement (default: 10)")
    parser.add_argument("--rounds", type=at_least(1, int), default=3, help="(default: 3)")
    parser.add_argument("--pairs", type=at_least(1, int), default=60, help="of calls, each round (default: 60)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
