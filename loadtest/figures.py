"""The figures that docs/performance.md keeps of the server, each beside the bare library or in turns with something.

`--page` writes what was measured into this processor's column there. Only the ratios are worth keeping: a machine that
slows down slows both sides of them.
"""

import argparse
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from inference.machine import usable_cpus
from loadtest import costs, overload, workers
from loadtest.bench import Bench, Cells
from loadtest.capacity import find
from loadtest.chaos import seconds_until_back
from loadtest.harness import CLIP_SECONDS
from loadtest.harness.page import describe, write_column
from loadtest.harness.processes import wait_until
from loadtest.harness.server import GunicornServer
from loadtest.harness.subject import at_least, chosen_subject

_P95 = 2.0  # seconds


def main(options: argparse.Namespace) -> int:
    """Measure what was asked for, print it, and write it where it belongs."""
    subject = chosen_subject(options)
    clips = subject.clips([CLIP_SECONDS] * 8)
    for name in options.figures or _FIGURES:
        with ExitStack() as stack:
            found = _FIGURES[name](Bench(options, subject, clips, stack))
        for row, cell in found.items():
            print(f"{row}: {cell}")
        if options.page:
            write_column(options.page, "server", found, f"{subject.model.name}, {describe()}")
    return 0


def capacity(bench: Bench) -> Cells:
    """Clips of 5 s a second that are served in time."""
    trials = find(bench.server(bench.options.lanes).address, bench.clips, _P95, 2 * bench.options.seconds)
    best = max((rate for rate, p95 in trials if p95 <= _P95), default=0.0)
    return {"clips of 5 s a second with p95 ≤ 2 s": f"{best:.1f}"}


def recovery(bench: Bench) -> Cells:
    """Seconds from the SIGKILL of a lane until it is back: a process spawned, its model loaded, its first answer."""
    server = bench.server(bench.options.lanes)
    back = [_seconds_without_a_lane(server) for _ in bench.rounds()]
    return {"lane back after SIGKILL, s": f"{median(back):.2f} (at most {max(back):.2f} of {len(back)})"}


def _seconds_without_a_lane(server: GunicornServer) -> float:
    ready = len(server.logged("lane ready"))
    killed = time.time()
    server.lanes()[0].kill()
    wait_until(lambda: len(server.logged("lane ready")) > ready, "the lane is back")
    return seconds_until_back([killed], server.logged("lane ready")[ready:])[0]


def two_workers(bench: Bench) -> Cells:
    """Two workers with a lane each ÷ one with two."""
    found = workers.compare(bench.subject, bench.options.rounds, bench.options.seconds)
    return {"2 workers × 1 lane ÷ 1 × 2: throughput, p95": "; ".join(f"{way} {cell}" for way, cell in found.items())}


_FIGURES: dict[str, Callable[[Bench], Cells]] = {
    "throughput": costs.throughput,
    "latency": costs.latency,
    "capacity": capacity,
    "overload": overload.overload,
    "fairness": overload.fairness,
    "scaling": costs.scaling,
    "memory": costs.memory,
    "recovery": recovery,
    "workers": two_workers,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add those of this command."""
    cpus = usable_cpus()
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"of {', '.join(_FIGURES)} (default: all)")
    parser.add_argument("--lanes", type=at_least(1, int), default=cpus, help="(default: all processors)")
    parser.add_argument("--threads", type=at_least(1, int), default=1, help="of a lane (default: 1)")
    parser.add_argument("--seconds", type=at_least(1), default=3.0, help="of each turn (default: 3)")
    parser.add_argument("--rounds", type=at_least(1, int), default=6, help="(default: 6)")
    parser.add_argument("--pairs", type=at_least(1, int), default=40, help="of calls, each round (default: 40)")
    parser.add_argument("--page", type=Path, metavar="FILE", help="to write to, docs/performance.md say")
