"""A lane that is one pool process, and the executor that feeds it.

The executor has room for the task that runs and for one more, which the process begins the moment it is free:
waiting for the parent between two clips would cost it a few milliseconds each time.

A ProcessPoolExecutor of several processes fails every pending call when one of them dies, and cannot
stop a call that runs. So each lane is an executor of one process, thrown away and made anew when its
process dies, hangs or grows too large.
"""

import asyncio
import itertools
import multiprocessing
import signal
import socket
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing.process import BaseProcess
from multiprocessing.resource_tracker import ensure_running
from multiprocessing.sharedctypes import RawValue
from pathlib import Path
from typing import Any, TypeVar

from inference import worker
from inference.errors import PackageError
from inference.handing import hand_over
from inference.process import signals_blocked
from inference.task import Task
from inference.worker import Control, Ready, Setup
from server.pool.lane import Call
from server.pool.memory import memory_of

Result = TypeVar("Result")

# Never fork: an ONNX Runtime session does not survive one.
_SPAWN = multiprocessing.get_context("spawn")


class ProcessLane:
    """Runs one task at a time, in the order of their calls, in a process of its own."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._executor: ProcessPoolExecutor | None = None
        self._process: BaseProcess | None = None
        self._control = RawValue(Control)
        self._channel: socket.socket | None = None
        self._numbers = itertools.count(1)
        self._compromises: dict[str, tuple[str, ...]] = {}
        """By model: why this process would not have it better if it were prepared once more."""
        self.died = asyncio.Event()
        self.died.set()

    async def start(self, model: str) -> Ready:
        """Spawn a process that loads a model; raise PackageError where that is unusable, BrokenExecutor, or OSError."""
        self._control = RawValue(Control)
        self._channel, theirs = socket.socketpair()
        self._channel.settimeout(0)
        with theirs:
            try:
                self._executor = ProcessPoolExecutor(
                    1, mp_context=_SPAWN, initializer=worker.initialise, initargs=(self._setup, self._control, theirs)
                )
            except OSError as error:
                raise OSError(error.errno, f"{error.strerror}, for semaphores in /dev/shm") from error
            before = set(multiprocessing.active_children())
            ensure_running()
            # From this thread, which lives as long as the worker: the kernel ends a child with the thread that made it.
            with signals_blocked(signal.SIGINT, signal.SIGTERM):
                loading = self._executor.submit(worker.load_model, model)
        (self._process,) = set(multiprocessing.active_children()) - before
        self.died.clear()
        asyncio.get_running_loop().add_reader(self._process.sentinel, self._on_death)
        ready = await asyncio.wrap_future(loading)
        self._compromises = {model: ready.warnings}
        return ready

    async def load(self, model: str) -> Ready:
        """Load a model and send its canary through; raise PackageError or BrokenExecutor.

        A process that is confined can prepare nothing: another one does, which hears nobody and ends then.
        """
        ready = await self._submit(worker.load_model, model)
        if ready.warnings and not self._compromises.get(model):
            self._compromises[model] = await self._prepare(model) or ready.warnings
            ready = await self._submit(worker.load_model, model)
        return replace(ready, warnings=ready.warnings and self._compromises[model])

    async def _prepare(self, model: str) -> tuple[str, ...]:
        """Return why what was prepared is not what was asked for, if it can be told."""
        other = ProcessLane(self._setup)
        try:
            return (await other.start(model)).warnings
        except (PackageError, BrokenExecutor, OSError):
            return ()
        finally:
            await other.close()

    def call(self, task: Task) -> Call:
        """Do a task after the one before; raise BrokenExecutor where there is no process, OSError without its audio."""
        number = next(self._numbers)
        if isinstance(task.audio, Path) and self._channel is not None:
            hand_over(self._channel, number, task.audio)
        return Call(number, self._submit(worker.run, number, task))

    def abandon(self, call: Call) -> None:
        """Ask the process to stop this task at its next stage, or not to begin it."""
        self._control.abandon(call.number)

    async def close(self) -> None:
        """End the process, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._on_death()
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._executor is not None:
            await asyncio.to_thread(self._executor.shutdown)

    @property
    def pid(self) -> int | None:
        """Id of the process, the last one where there is none now."""
        return None if self._process is None else self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How the last process ended; -9 for SIGKILL."""
        return None if self._process is None else self._process.exitcode

    @property
    def own_megabytes(self) -> float:
        """Memory in MiB that no other process shares; 0 where the system does not say."""
        return memory_of(self.pid).own / 2**20

    def _submit(self, function: Callable[..., Result], *arguments: Any) -> "asyncio.Future[Result]":
        if self._executor is None or self.died.is_set():
            raise BrokenProcessPool("the process has died")
        return asyncio.wrap_future(self._executor.submit(function, *arguments))

    def _on_death(self) -> None:
        if self._process is not None and not self.died.is_set():
            asyncio.get_running_loop().remove_reader(self._process.sentinel)
            self.died.set()
