"""Watches a server while it works: whether it lives, and who has the processors."""

import http.client
import multiprocessing
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Self

import psutil

from loadtest.harness.outcomes import Outcome

_EVERY_SECONDS = 0.05


class Probe:
    """Asks for `/healthz` twenty times a second, in a process of its own: a busy load generator would answer late.

    Runs for the length of a `with` block; `outcomes` afterwards.
    """

    def __init__(self, port: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_ask, args=(theirs, port), daemon=True)
        self.outcomes: list[Outcome] = []

    def __enter__(self) -> Self:
        self._process.start()
        self._ours.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.send("stop")
        self.outcomes = [Outcome(*row) for row in self._ours.recv()]
        self._process.join()


class ProcessorTime:
    """Shares of the time of so many processors that groups of processes took, for the length of a `with` block.

    What a noisy neighbour does to a rate, it does not do to these shares.
    """

    def __init__(self, processors: int, groups: Mapping[str, Sequence[int]]) -> None:
        """`groups` are process ids by name."""
        self._processors = processors
        self._groups = {name: [psutil.Process(pid) for pid in pids] for name, pids in groups.items()}
        self.shares: dict[str, float] = {}
        """Percent of all processors' time, by group."""

    def __enter__(self) -> Self:
        self._started, self._before = time.perf_counter(), self._seconds()
        return self

    def __exit__(self, *_: object) -> None:
        offered = (time.perf_counter() - self._started) * self._processors
        after = self._seconds()
        self.shares = {name: 100 * (after[name] - before) / offered for name, before in self._before.items()}

    def _seconds(self) -> dict[str, float]:
        return {name: processor_seconds(group) for name, group in self._groups.items()}


def processor_seconds(processes: Sequence[psutil.Process]) -> float:
    """Processor time that processes have used so far; those that are gone count nothing."""
    total = 0.0
    for process in processes:
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def mebibytes(process: psutil.Process) -> float:
    """Proportional set size: pages shared by n processes count 1/n each, so that processes add up."""
    return float(process.memory_full_info().pss) / 2**20


def _ask(pipe: Connection, port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    rows: list[tuple[float, float, str]] = []
    pipe.send("ready")
    while not pipe.poll(_EVERY_SECONDS):
        started = time.perf_counter()
        try:
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            answer.read()
            kind = "healthz" if answer.status == 200 else "healthz-failed"
        except (OSError, http.client.HTTPException):
            connection.close()
            kind = "healthz-failed"
        rows.append((started, time.perf_counter() - started, kind))
    pipe.send(rows)
