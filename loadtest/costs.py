"""What the server costs, beside the bare library in the same run.

Where a process's memory happens to lie makes it some percent faster or slower for as long as it lives, so that each
round of `throughput` and `latency` has a server and a library of its own.
"""

from contextlib import ExitStack
from dataclasses import replace
from statistics import mean, median

import uvloop

from loadtest.bench import Bench, Cells
from loadtest.harness.client import Client
from loadtest.harness.library import BareLibrary
from loadtest.harness.outcomes import Outcome, summarise
from loadtest.harness.server import GunicornServer
from loadtest.harness.statistics import ratio_of_sums
from loadtest.harness.watch import mebibytes

_TURNS = 4  # of server and library in a round


def throughput(bench: Bench) -> Cells:
    """Clips a second: server ÷ library, in turns."""
    lanes, seconds = bench.options.lanes, bench.options.seconds
    served, called = [], []
    for _ in bench.rounds():
        with ExitStack() as stack:
            fresh = replace(bench, stack=stack)
            server, library = fresh.server(lanes), fresh.library(lanes)
            bench.saturate(server, lanes)
            turns = [(bench.saturate(server, lanes), library.rate(seconds)) for _ in range(_TURNS)]
        served.append(mean(rate for rate, _ in turns))
        called.append(mean(rate for _, rate in turns))
    print(f"server {mean(served):.2f}, library {mean(called):.2f} clips/s")
    return {"throughput of the server ÷ of the library": f"{ratio_of_sums(served, called):.3f}"}


def latency(bench: Bench) -> Cells:
    """Milliseconds that one request on an idle server takes over one call of the library, in pairs."""
    requests: list[Outcome] = []
    calls: list[float] = []
    for _ in bench.rounds():
        with ExitStack() as stack:
            fresh = replace(bench, stack=stack)
            answers, durations = uvloop.run(_clip_by_clip(fresh.server(bench.options.lanes), fresh.library(1), bench))
        requests += answers
        calls += durations
    summarise(requests, 1.0).check()
    added = median(request.seconds - call for request, call in zip(requests, calls, strict=True))
    around = median(request.seconds - request.processing for request in requests)
    print(f"library {1000 * median(calls):.1f} ms; spent outside the lane's stages {1000 * around:.1f} ms")
    return {"added by the server to one clip, idle, ms": f"{1000 * added:.1f} ({len(calls)} pairs)"}


def scaling(bench: Bench) -> Cells:
    """Throughput of all lanes ÷ of one, for the server and for the library."""
    most = bench.options.lanes
    servers = {lanes: bench.server(lanes) for lanes in (1, most)}
    library = bench.library(most)
    rates: dict[tuple[str, int], list[float]] = {}
    for _ in bench.rounds():
        for lanes, server in servers.items():
            rates.setdefault(("library", lanes), []).append(library.rate(bench.options.seconds, lanes))
            rates.setdefault(("server", lanes), []).append(bench.saturate(server, lanes))
    gains = [median(rates[who, most]) / median(rates[who, 1]) for who in ("server", "library")]
    return {"throughput of two lanes ÷ of one: server, library": "{:.2f}, {:.2f}".format(*gains)}


def memory(bench: Bench) -> Cells:
    """Proportional set size of the first lane, and of each further one."""
    most = max(2, bench.options.lanes)
    sums = []
    for lanes in (1, most):
        with ExitStack() as stack:  # one server at a time: two would share the weights and look small
            server = replace(bench, stack=stack).server(lanes)
            bench.saturate(server, lanes)
            sums.append(sum(mebibytes(lane) for lane in server.lanes()))
    return {"memory of the first lane, of a further one, MiB": f"{sums[0]:.0f}, {(sums[1] - sums[0]) / (most - 1):.0f}"}


async def _clip_by_clip(
    server: GunicornServer, library: BareLibrary, bench: Bench
) -> tuple[list[Outcome], list[float]]:
    requests, calls = [], []
    with Client(server.address) as client:
        for number in range(bench.options.pairs):
            index = number % len(bench.clips)
            calls.append(library.call(index))
            requests.append(await client.transcribe(bench.clips[index]))
    return requests, calls
