"""Programs started for a measurement or a test: found with all their descendants, stopped, and gone afterwards."""

import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

import psutil

from loadtest.harness import REPOSITORY

PATIENCE = 120.0
"""Seconds: however slow a machine is, what has not happened by then never will."""

_MARK = "HARNESS_MARK"
_PORT = "{port}"
_Found = TypeVar("_Found")


class Program:
    """A command that runs in the repository, with all processes that descend from it.

    Descendants are known by a mark in their environment, so that orphans are found as well. Starts when it is made;
    `with` waits until it is ready, and ends it.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        address: tuple[str, int] | None = None,
    ) -> None:
        """Start it. `{port}` stands for its port; inherited settings are a developer's own, and left out.

        `address` is where it listens, by its own account; without one a port of 127.0.0.1 is taken that is free.
        """
        self.log = log
        self.address = address or ("127.0.0.1", _free_port())
        host, self.port = self.address
        self.url = f"http://{host}:{self.port}"
        self._mark = uuid.uuid4().hex
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ASR_", "OTEL_"))}
        given = {name: value.replace(_PORT, str(self.port)) for name, value in environment.items()}
        with log.open("w") as stream:
            self.process = subprocess.Popen(  # noqa: S603 - the caller's own command
                [part.replace(_PORT, str(self.port)) for part in command],
                cwd=REPOSITORY,
                env=inherited | given | {_MARK: self._mark},
                stdout=stream,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        try:
            self.wait_ready()
        except BaseException:
            self.kill_all()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def wait_ready(self) -> None:
        """Return when it can be used, here at once; raise where it never will."""

    def tree(self) -> list[psutil.Process]:
        """Every living process of this run, orphans included."""
        return [process for process in psutil.process_iter() if _mark_of(process) == self._mark]

    def assert_gone(self) -> None:
        """Raise AssertionError where something of it lives on."""
        wait_until(lambda: not self.tree(), f"{self.tree()} gone")

    def end(self) -> None:
        """Ask it to end; then make sure that nothing of it is left."""
        try:
            self.process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(PATIENCE)
        finally:  # a second Ctrl-C shall leave nothing behind either
            self.kill_all()

    def kill_all(self) -> None:
        """End at once whatever is left."""
        for process in self.tree():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()

    def last_words(self) -> str:
        """The end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-2000:]


def wait_until(condition: Callable[[], _Found], what: object, seconds: float = PATIENCE, pause: float = 0.02) -> _Found:
    """Return what `condition` gives as soon as it is true; raise AssertionError, which names `what`, if it never is."""
    give_up = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > give_up:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(pause)
    return result


@contextmanager
def paused(*processes: psutil.Process) -> Iterator[None]:
    """Stop processes with SIGSTOP meanwhile: a lane that takes work and does not go on."""
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()


@contextmanager
def in_background(count: int = 32) -> Iterator[Callable[..., "Future[Any]"]]:
    """Give `submit` of a pool of threads, for requests that wait; leave when all of them are done."""
    with ThreadPoolExecutor(count) as pool:
        yield pool.submit


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _mark_of(process: psutil.Process) -> str | None:
    with suppress(psutil.Error):
        if process.status() != psutil.STATUS_ZOMBIE:
            return process.environ().get(_MARK)
    return None
