"""Asks for `/healthz` ten times a second, in a process of its own: a busy load generator would answer late."""

import multiprocessing
import socket
import time
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

_EVERY_SECONDS = 0.1


class Probe:
    """Runs for the length of a `with` block; `latencies` afterwards."""

    def __init__(self, host: str, port: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_ask, args=(theirs, host, port), daemon=True)
        self.latencies: list[float] = []
        """Seconds; infinite for an answer other than 200."""

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
    connection = socket.create_connection((host, port), timeout=60)
    request = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    latencies: list[float] = []
    pipe.send("ready")
    while not pipe.poll(_EVERY_SECONDS):
        started = time.perf_counter()
        connection.sendall(request)
        answer = b""
        while not answer.endswith(b"}"):  # a JSON object without inner ones
            answer += connection.recv(65_536)
        latencies.append(time.perf_counter() - started if answer.startswith(b"HTTP/1.1 200 ") else float("inf"))
    pipe.send(latencies)
