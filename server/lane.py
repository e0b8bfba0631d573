"""One pool process, and the executor that feeds it.

A ProcessPoolExecutor of several processes fails every pending call when one of them dies, and cannot
stop a call that runs. So each lane is an executor of one process, thrown away and made anew when its
process dies, hangs or grows too large.
"""

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import RawValue
from pathlib import Path

from inference import worker
from inference.types import Transcript
from inference.worker import Control, Ready, Setup, Task

# Never fork: an ONNX Runtime session does not survive one.
_SPAWN = multiprocessing.get_context("spawn")


class Lane:
    """Runs one task at a time in a process of its own."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._executor: ProcessPoolExecutor | None = None
        self._process: BaseProcess | None = None
        self._control = RawValue(Control)
        self.died = asyncio.Event()
        """Set while there is no live process."""
        self.died.set()

    async def start(self) -> Ready:
        """Spawn a process, load the model, run the canary.

        Raises BrokenProcessPool where the process dies on the way, PackageError where the model is unusable.
        """
        self._control = RawValue(Control)
        self._executor = ProcessPoolExecutor(
            1, mp_context=_SPAWN, initializer=worker.initialise, initargs=(self._setup, self._control)
        )
        before = set(multiprocessing.active_children())
        # From this thread, which lives as long as the worker: the kernel ends a child with the thread that made it.
        warming = self._executor.submit(worker.warm_up)
        (self._process,) = set(multiprocessing.active_children()) - before
        self.died.clear()
        asyncio.get_running_loop().add_reader(self._process.sentinel, self._on_death)
        return await asyncio.wrap_future(warming)

    async def run(self, task: Task) -> Transcript:
        """Transcribe; raise any InferenceError, or BrokenProcessPool where the process dies."""
        assert self._executor is not None  # noqa: S101 - start() comes first
        return await asyncio.wrap_future(self._executor.submit(worker.run, task))

    def abandon(self, number: int) -> None:
        """Ask the process to stop at the next stage, where it is still at that task."""
        self._control.abandoned = number

    def kill(self) -> None:
        """End the process at once; `start` makes another."""
        if self._process is not None:
            self._process.kill()
            self._on_death()

    async def close(self) -> None:
        """End the process, and wait until it is gone."""
        self.kill()
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
    def resident_megabytes(self) -> float:
        """Resident set in MiB; 0 where the system does not tell."""
        try:
            fields = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()
        except OSError:
            return 0.0
        return int(fields[1]) * _PAGE_MEGABYTES

    def _on_death(self) -> None:
        if self._process is not None and not self.died.is_set():
            asyncio.get_running_loop().remove_reader(self._process.sentinel)
            self.died.set()


_PAGE_MEGABYTES = 4096 / 2**20
