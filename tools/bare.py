"""The library alone, in processes of its own: what a server is compared with."""

import multiprocessing
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Self

from inference.loading import load
from inference.package import Package, load_package
from inference.recogniser import SessionOptions
from inference.types import AudioLimits
from inference.worker import canary

_START_SECONDS = 120.0
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}  # as in gunicorn.conf.py


@dataclass(frozen=True, slots=True)
class Calls:
    """What one process did in one turn."""

    durations: list[float]
    """Seconds of each call, in order."""

    @property
    def rate(self) -> float:
        """Calls a second."""
        return len(self.durations) / sum(self.durations) if self.durations else 0.0


class BareLibrary:
    """Processes that each hold a Pipeline and call it in a loop when told, for the length of a `with` block."""

    def __init__(
        self,
        package: Path,
        processes: int,
        options: SessionOptions,
        limit_seconds: float = 10.0,
        precision: str = "auto",
    ) -> None:
        self._package = load_package(package)
        self._arguments = (options, AudioLimits(limit_seconds=limit_seconds), precision)
        self._count = processes
        self._processes: list[multiprocessing.process.BaseProcess] = []
        self._pipes: list[Connection] = []

    def __enter__(self) -> Self:
        # Spawned as the server's lanes are: an ONNX Runtime session does not survive a fork.
        context = multiprocessing.get_context("spawn")
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        for _ in range(self._count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, self._package, *self._arguments), daemon=True)
            process.start()
            theirs.close()
            self._processes.append(process)
            self._pipes.append(ours)
        for pipe in self._pipes:
            if not pipe.poll(_START_SECONDS):
                raise TimeoutError(f"a library process was not ready within {_START_SECONDS:g} s")
            pipe.recv()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
            process.join()

    @property
    def pids(self) -> list[int]:
        """Ids of the processes."""
        return [process.pid for process in self._processes if process.pid is not None]

    def work(self, clips: Sequence[bytes], seconds: float, processes: int | None = None) -> list[Calls]:
        """Let the first `processes` (default: all) go through the clips side by side for so many seconds."""
        working = self._pipes[:processes]
        for pipe in working:
            pipe.send((list(clips), seconds))
        return [pipe.recv() for pipe in working]

    def rate(self, clips: Sequence[bytes], seconds: float, processes: int | None = None) -> float:
        """Clips a second, all processes together."""
        return sum(calls.rate for calls in self.work(clips, seconds, processes))

    def call(self, clip: bytes) -> float:
        """Seconds of one call in the first process."""
        return self.work([clip], 0.0, 1)[0].durations[0]


def _serve(
    pipe: Connection, package: Package, session_options: SessionOptions, options: AudioLimits, precision: str
) -> None:
    pipeline = load(package, session_options, precision)  # as the server's lanes do
    # As well: what a process heard first shapes its heap, and how fast it is from then on (docs/load.md).
    pipeline.transcribe(canary(package.features.sample_rate))
    pipe.send("ready")
    while True:
        try:
            clips, seconds = pipe.recv()
        except EOFError:
            return
        end = time.perf_counter() + seconds
        durations: list[float] = []
        while not durations or time.perf_counter() < end:
            started = time.perf_counter()
            pipeline.transcribe(clips[len(durations) % len(clips)], options)
            durations.append(time.perf_counter() - started)
        pipe.send(Calls(durations))
