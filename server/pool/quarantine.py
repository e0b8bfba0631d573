"""Remembers inputs that kill processes, so that they are not let in a third time."""

import asyncio
import time
from dataclasses import dataclass

from inference.task import Task

_KILLS = 2
_SECONDS = 300.0


@dataclass(slots=True)
class _Record:
    kills: int
    latest: float


class Quarantine:
    """Counts lanes killed by each input, by digest; a success clears the count.

    The digest of a large file takes milliseconds: it is made in a thread, and only while there is something to find.
    """

    def __init__(self) -> None:
        self._records: dict[bytes, _Record] = {}

    async def holds(self, task: Task) -> bool:
        """Whether this input killed two processes within the last five minutes."""
        self._forget_old()
        if not any(record.kills >= _KILLS for record in self._records.values()):
            return False
        digest = await _digest(task)
        record = None if digest is None else self._records.get(digest)
        return record is not None and record.kills >= _KILLS

    async def record_kill(self, task: Task) -> None:
        """A process died under this input."""
        digest = await _digest(task)
        if digest is not None:
            record = self._records.setdefault(digest, _Record(0, 0.0))
            record.kills += 1
            record.latest = time.monotonic()

    async def record_success(self, task: Task) -> None:
        """It came through: what killed the process before was something else."""
        if self._records and (digest := await _digest(task)) is not None:
            self._records.pop(digest, None)

    def _forget_old(self) -> None:
        horizon = time.monotonic() - _SECONDS
        self._records = {digest: record for digest, record in self._records.items() if record.latest > horizon}


async def _digest(task: Task) -> bytes | None:
    try:
        return await asyncio.to_thread(task.digest)
    except OSError:
        return None  # its file went with whoever sent it
