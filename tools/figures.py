"""`python -m tools.figures`: what the server costs, beside the bare library on the same machine in the same run.

Rounds of the two alternate, so that a machine that slows down slows both; only the ratios are worth keeping.
"""

import argparse
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from statistics import mean

import uvloop

from inference.errors import InferenceError
from inference.loading import load
from inference.machine import usable_cpus
from inference.package import load_package
from inference.recogniser import SessionOptions
from tools.bare import BareLibrary
from tools.bench import Bench, WrongText, check
from tools.client import Answer, Client
from tools.clips import make_clips
from tools.command_line import add_model, at_least
from tools.load import rate_within, summarise
from tools.local_server import LocalServer, ServerFailed
from tools.overload import Schedule, alternate
from tools.probe import Probe
from tools.process_memory import process_memory
from tools.processor_time import ProcessorTime
from tools.statistics import median, percentile, ratio_of_sums

_CLIP_SECONDS = 5.0
_TURNS = 4  # of server and library in a round


def throughput(bench: Bench) -> None:
    """Clips a second: server, library, ratio; and who had the processors meanwhile.

    Each round has a server and a library of its own: where a process's memory happens to lie makes it some percent
    faster or slower for as long as it lives.
    """
    served, called, shares = [], [], []
    for _ in bench.rounds():
        with ExitStack() as stack:
            of_server, of_library, taken = _saturated_in_turns(replace(bench, stack=stack))
        served.append(of_server)
        called.append(of_library)
        shares.append(taken)
    taken = _means(shares)
    print(
        f"throughput, {bench.options.lanes} lanes × {bench.options.threads} threads: server {mean(served):.2f}, "
        f"library {mean(called):.2f} clips/s; {_ratio(served, called)}\n"
        f"  of the processors' time: {_told(taken)}; lanes ÷ library {taken['lanes'] / taken['library']:.3f}"
    )


def _saturated_in_turns(bench: Bench) -> tuple[float, float, dict[str, float]]:
    """Clips a second of a server and of a library, which take turns, and their shares of the processors' time."""
    lanes, seconds = bench.options.lanes, bench.options.seconds
    server, library = bench.server(lanes), bench.library(lanes)
    bench.saturate(server, lanes)
    served, called, shares = [], [], []
    for _ in range(_TURNS):
        rate, before = _watched(lambda: library.rate(bench.sounds, seconds), seconds, {"library": library.pids})
        called.append(rate)
        rate, meanwhile = _watched(lambda: bench.saturate(server, lanes), seconds, _groups(server))
        served.append(rate)
        shares.append(before | meanwhile)
    return mean(served), mean(called), _means(shares)


def _watched(work: Callable[[], float], seconds: float, groups: dict[str, list[int]]) -> tuple[float, dict[str, float]]:
    """What `work` returns, and shares of the processors' time in its first `seconds`: without what is left to end."""
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(work)
        with ProcessorTime(usable_cpus(), groups) as processors:
            time.sleep(seconds)
        return running.result(), processors.shares


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
            answers, durations = uvloop.run(_clip_by_clip(fresh.server(bench.options.lanes), fresh.library(1), bench))
        requests += answers
        calls += durations
        rounds.append(f"{1000 * median(_added(answers, durations)):.1f}")
    check(requests)
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
    check(answers)
    calm, flooded = ([turn for turn in turns if turn.flooded == kind] for kind in (False, True))
    at_capacity, at_overload = (
        [rate_within(answers, turn.start, turn.end) for turn in kind] for kind in (calm, flooded)
    )
    before, meanwhile = (_means([turn.shares for turn in kind]) for kind in (calm, flooded))
    healthz = [seconds for asked, seconds in probe.latencies if any(turn.start < asked < turn.end for turn in flooded)]
    summary = summarise(answers, turns[-1].end - turns[0].start)
    print(
        f"overload: goodput {mean(at_overload):.2f}, at capacity {mean(at_capacity):.2f} clips/s; "
        f"{_ratio(at_overload, at_capacity)}\n"
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
        clips = make_clips(loaded, [_CLIP_SECONDS] * 8, limit_seconds=10.0)
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
    ratio, low, high = ratio_of_sums(mine, other)
    return f"ratio {ratio:.3f}, 95 % [{low:.3f}, {high:.3f}], {len(mine)} rounds"


def _means(shares: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: mean([each[name] for each in shares]) for name in shares[0]}


def _told(shares: dict[str, float]) -> str:
    return ", ".join(f"{name} {share:.1f} %" for name, share in shares.items())


async def _clip_by_clip(server: LocalServer, library: BareLibrary, bench: Bench) -> tuple[list[Answer], list[float]]:
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
    parser.add_argument("--seconds", type=at_least(1), default=10.0, help="of each measurement (default: 10)")
    parser.add_argument("--rounds", type=at_least(1, int), default=3, help="(default: 3)")
    parser.add_argument("--pairs", type=at_least(1, int), default=60, help="of calls, each round (default: 60)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
