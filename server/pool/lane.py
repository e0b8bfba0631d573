"""What the pool wants of a lane: one task at a time, in the order of their calls."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from inference.task import Task
from inference.types import Transcript
from inference.worker import Ready


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A task in the lane's hands."""

    number: int
    answer: asyncio.Future[Transcript]
    """Raises any InferenceError, or BrokenExecutor where the lane dies."""


class Lane(Protocol):
    """Something that does tasks; `server/pool/process_lane.py` is a process."""

    died: asyncio.Event
    """Set while it cannot work."""

    async def start(self, model: str) -> Ready:
        """Make it able to work, with this model; raise PackageError where that is unusable, or BrokenExecutor."""
        ...

    async def load(self, model: str) -> Ready:
        """Load a model and try it; raise PackageError where it is unusable, or BrokenExecutor."""
        ...

    def call(self, task: Task) -> Call:
        """Do a task, whose model is loaded, after the one before; raise BrokenExecutor where it has died."""
        ...

    def abandon(self, call: Call) -> None:
        """Stop this task at its next stage, or do not begin it."""
        ...

    async def close(self) -> None:
        """End it, and wait until it is gone."""
        ...

    @property
    def pid(self) -> int | None:
        """Process id, the last one where there is none now."""
        ...

    @property
    def exit_code(self) -> int | None:
        """How the last process ended; -9 for SIGKILL."""
        ...

    @property
    def own_megabytes(self) -> float:
        """Memory in MiB that no other process shares; 0 where the system does not say."""
        ...
