"""One task on its way through the pool."""

import asyncio
import dataclasses
import time
from dataclasses import dataclass, field

from inference.task import Task
from inference.types import StageTime, Transcript
from server.pool.fair_queue import Ticket
from server.principal import Principal


@dataclass(slots=True, eq=False)
class Entry:
    """What waits in the queue, and then for its lane."""

    task: Task
    principal: Principal
    cost: float
    """Lane seconds, predicted; what it costs its principal."""
    outcome: asyncio.Future[Transcript] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    admitted: float = field(default_factory=time.monotonic)
    started: float = 0.0
    """`time.monotonic()` at which a lane began to work on it; 0 until then."""
    tries: int = 0
    ticket: Ticket | None = None

    @property
    def deadline(self) -> float:
        """`time.monotonic()` by which an answer is wanted."""
        return self.task.deadline

    def succeed(self, transcript: Transcript) -> None:
        """Answer, where somebody still waits."""
        if not self.outcome.done():
            waited = StageTime("queue", self.admitted, transcript.stages[0].began - self.admitted)
            self.outcome.set_result(dataclasses.replace(transcript, stages=(waited, *transcript.stages)))

    def fail(self, error: Exception) -> None:
        """Answer with an error, where somebody still waits."""
        if not self.outcome.done():
            self.outcome.set_exception(error)
