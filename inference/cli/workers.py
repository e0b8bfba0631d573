"""Who transcribes: this process, or several of which each has its own pipeline over the same mapped weights."""

import functools
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.resource_tracker import ensure_running
from pathlib import Path
from typing import TypeAlias

from inference.cli.outputs import Outcome
from inference.cli.sources import Source
from inference.errors import InferenceError, PackageError
from inference.loading import load
from inference.package import Package
from inference.pipeline import Pipeline
from inference.process import die_with, signals_blocked
from inference.recogniser import SessionOptions
from inference.types import AudioLimits, Options

# Never fork: an ONNX Runtime session does not survive one.
_SPAWN = multiprocessing.get_context("spawn")

Heard: TypeAlias = Callable[[str, float], None]
"""Name of a source, and the seconds of it that were heard by now."""


@dataclass(frozen=True, slots=True)
class Setup:
    """All that a process needs."""

    package: Package
    precision: str
    cache: Path
    threads: int
    limits: AudioLimits
    options: Options

    def load(self) -> Pipeline:
        """Raise PackageError where the package cannot be used."""
        return load(self.package, SessionOptions(threads=self.threads), self.precision, self.cache)


class Here:
    """The process itself."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._pipeline = setup.load()
        self.warnings = self._pipeline.warnings

    def outcomes(self, sources: Iterable[tuple[int, Source]], heard: Heard) -> Iterator[tuple[int, Source, Outcome]]:
        """Each when it is done; how far a long one is goes to `heard`."""
        for place, source in sources:
            tell = functools.partial(heard, source.name)
            yield place, source, source.fault or _outcome(self._pipeline, self._setup, source.path, tell)

    def close(self) -> None:
        """Nothing is open."""


class Several:
    """Processes of our own. One that dies costs the file that it was at, and is started again."""

    def __init__(self, setup: Setup, jobs: int) -> None:
        first = _Process(setup)  # alone, since it may have to prepare the graph for the others
        self.warnings = first.ready()
        self._processes = [first, *(_Process(setup) for _ in range(1, jobs))]
        for process in self._processes[1:]:
            process.ready()
        self._idle = list(self._processes)
        self._busy: dict[Connection, tuple[_Process, int, Source]] = {}

    def outcomes(self, sources: Iterable[tuple[int, Source]], heard: Heard) -> Iterator[tuple[int, Source, Outcome]]:
        """Each when it is done; how far a long one is goes to `heard`."""
        waiting = deque(sources)
        while waiting or self._busy:
            while waiting and self._idle:
                place, source = waiting.popleft()
                if source.fault:
                    yield place, source, source.fault
                    continue
                process = self._idle.pop()
                with suppress(BrokenPipeError):  # it has died since; that will be found where it should answer
                    process.connection.send(source.path)
                self._busy[process.connection] = process, place, source
            ready = wait(list(self._busy)) if self._busy else []
            for connection in [each for each in self._busy if each in ready]:
                process, place, source = self._busy[connection]
                outcome = process.outcome()
                if isinstance(outcome, float):
                    heard(source.name, outcome)
                    continue
                del self._busy[connection]
                self._idle.append(process)
                yield place, source, outcome

    def close(self) -> None:
        """End all processes, whatever they are at."""
        for process in self._processes:
            process.end()


class _Process:
    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._start()

    def _start(self) -> None:
        self.connection, theirs = _SPAWN.Pipe()
        arguments = (theirs, self._setup, os.getpid())
        self._process: BaseProcess = _SPAWN.Process(target=_work, args=arguments, daemon=True)
        ensure_running()
        with signals_blocked(signal.SIGINT):  # of a terminal
            self._process.start()
        theirs.close()

    def ready(self) -> tuple[str, ...]:
        """Warnings, once it is loaded; raise PackageError where it cannot be."""
        try:
            answer: tuple[str, ...] | InferenceError = self.connection.recv()
        except EOFError:
            raise PackageError(f"a process that loads the model {self._end()}") from None
        if isinstance(answer, InferenceError):
            raise answer
        return answer

    def outcome(self) -> Outcome | float:
        """What came of the file, or how many seconds of it were heard by now; ready for the next one where it died."""
        try:
            outcome: Outcome | float = self.connection.recv()
        except EOFError:
            outcome = f"the process that transcribed it {self._end()}"
            self._start()
            self.ready()
        return outcome

    def end(self) -> None:
        self._process.kill()
        self._process.join()

    def _end(self) -> str:
        self._process.join()
        code = self._process.exitcode or 0
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended (exit code {code})"


def _work(connection: Connection, setup: Setup, parent: int) -> None:
    die_with(parent)
    try:
        pipeline = setup.load()
    except InferenceError as error:
        connection.send(error)
        return
    with suppress(EOFError, ConnectionError):  # the parent has ended, or is about to
        connection.send(pipeline.warnings)
        while True:
            connection.send(_outcome(pipeline, setup, connection.recv(), connection.send))


def _outcome(pipeline: Pipeline, setup: Setup, path: Path, heard: Callable[[float], None]) -> Outcome:
    pipeline.on_window = heard
    try:
        return pipeline.transcribe(path, setup.limits, setup.options)
    except (InferenceError, OSError) as error:
        return str(error)
