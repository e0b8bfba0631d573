"""What traces cost: clips a second with every request traced ÷ without, and the worker's processor time for a clip.

Servers take turns, new ones in each round. The receiver is a thread of this process, which reads and forgets.
"""

import argparse
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import mean

import psutil
import uvloop
from tqdm import tqdm

from inference.machine import usable_cpus
from loadtest.harness import CLIP_SECONDS
from loadtest.harness.client import Client
from loadtest.harness.clips import Clip
from loadtest.harness.load import closed_loop, completed_rate
from loadtest.harness.outcomes import summarise
from loadtest.harness.server import GunicornServer
from loadtest.harness.statistics import ratio_of_sums
from loadtest.harness.subject import at_least, chosen_subject

_TURNS = 4  # of each server in a round


def main(options: argparse.Namespace) -> int:
    """Measure, and print."""
    subject = chosen_subject(options)
    clips = subject.clips([CLIP_SECONDS] * 8)
    rates: tuple[list[float], list[float]] = ([], [])
    costs: tuple[list[float], list[float]] = ([], [])
    with _receiver() as url:
        for _ in tqdm(range(options.rounds), unit="round", disable=None):
            with ExitStack() as stack:
                servers = [
                    stack.enter_context(
                        subject.server(ASR_WORKERS=1, ASR_LANES=options.lanes, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
                    )
                    for endpoint in ("", url)
                ]
                for server in servers:
                    _measure(server, clips, options.lanes, options.seconds)
                for server, rate, cost in list(zip(servers, rates, costs, strict=True)) * _TURNS:
                    found = _measure(server, clips, options.lanes, options.seconds)
                    rate.append(found[0])
                    cost.append(found[1])
    print(f"clips a second, traced ÷ not: {ratio_of_sums(rates[1], rates[0]):.3f} ({mean(rates[0]):.2f} without)")
    without, traced = (1000 * mean(each) for each in costs)
    print(f"the worker's processor time for a clip, ms: {traced:.2f} traced, {without:.2f} not")
    return 0


def _measure(server: GunicornServer, clips: Sequence[Clip], lanes: int, seconds: float) -> tuple[float, float]:
    """Clips a second, and processor seconds of the worker for each."""
    (worker,) = server.workers()

    async def work() -> tuple[float, float]:
        before, end = _seconds(worker), time.perf_counter() + seconds
        with Client(server.address) as client:
            outcomes = await closed_loop(client, clips, 2 * lanes, seconds)
        summarise(outcomes, seconds).check()
        return completed_rate(outcomes, end), (_seconds(worker) - before) / len(outcomes)

    return uvloop.run(work())


def _seconds(worker: psutil.Process) -> float:
    times = worker.cpu_times()
    return float(times.user + times.system)


class _Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take a batch."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _receiver() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Receiver) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add those of this command."""
    cpus = usable_cpus()
    parser.add_argument("--lanes", type=at_least(1, int), default=cpus, help="(default: all processors)")
    parser.add_argument("--seconds", type=at_least(1), default=5.0, help="of each turn (default: 5)")
    parser.add_argument("--rounds", type=at_least(1, int), default=5, help="(default: 5)")
