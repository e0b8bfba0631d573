"""Asks for `/healthz` twenty times a second, in a process of its own: a busy load generator would answer late."""

import http.client
import multiprocessing
import time
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

_EVERY_SECONDS = 0.05


class Probe:
    """Runs for the length of a `with` block; `latencies` afterwards."""

    def __init__(self, host: str, port: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_ask, args=(theirs, host, port), daemon=True)
        self.latencies: list[tuple[float, float]] = []
        """When it was asked (`time.perf_counter()`), and seconds; infinite for an answer other than 200."""

    def __enter__(self) -> Self:
        self._process.start()
        self._ours.recv()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ours.send("stop")
        self.latencies = self._ours.recv()
        self._process.join()


def _ask(pipe: Connection, host: str, port: int) -> None:
    connection = http.client.HTTPConnection(host, port, timeout=60)
    latencies: list[tuple[float, float]] = []
    pipe.send("ready")
    while not pipe.poll(_EVERY_SECONDS):
        started = time.perf_counter()
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        answer.read()
        latencies.append((started, time.perf_counter() - started if answer.status == 200 else float("inf")))
    pipe.send(latencies)
