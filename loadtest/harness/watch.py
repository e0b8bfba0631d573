"""Watches a server while it works: whether it lives, and what its processes weigh."""

import http.client
import multiprocessing
import time
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
