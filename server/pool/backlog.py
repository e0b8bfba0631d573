"""What stands before a task: the queue, what lanes have in hand, and how long all of that will take.

Everything is counted in predicted lane seconds.
"""

import asyncio
import time
from collections.abc import Callable

from server import metrics
from server.pool.entry import Entry
from server.pool.fair_queue import FairQueue
from server.pool.limits import predicted_wait
from server.pool.speed import Speed

_START_UNKNOWN = 5.0  # seconds, before any lane has started


class Backlog:
    """Queued and running entries of one worker, and the prediction made from them."""

    def __init__(self) -> None:
        self._queue: FairQueue[Entry] = FairQueue()
        self._in_lanes: set[Entry] = set()
        self.speed = Speed()
        self.lanes_ready = 0
        """How many work; the others are no capacity."""
        self.lent = 0
        """Entries that other workers have in hand."""
        self.on_change: Callable[[], None] | None = None
        """Called when entries or idle lanes have become more or fewer."""
        self.start_seconds = _START_UNKNOWN
        """What the last start of a lane took."""

    def put(self, entry: Entry) -> None:
        """Queue an entry in its principal's turn."""
        entry.ticket = self._queue.put(entry, entry.principal.id, entry.cost, entry.principal.weight)
        self._show()

    def put_back(self, entry: Entry) -> None:
        """Queue an entry that has had its turn, before all others."""
        entry.ticket = self._queue.put_first(entry, entry.cost)
        self._show()

    async def get(self) -> Entry:
        """Wait for the next entry that is still wanted."""
        asyncio.get_running_loop().call_soon(self._show)  # as soon as it waits
        entry = await self._queue.get()
        self._show()
        return entry

    def get_nowait(self) -> Entry | None:
        """Return the next entry that is still wanted; None where nothing waits."""
        entry = self._queue.get_nowait()
        self._show()
        return entry

    def peek(self) -> Entry | None:
        """Return the next entry that is still wanted, and leave it there; None where nothing waits."""
        return self._queue.peek()

    def withdraw(self, entry: Entry) -> bool:
        """Free the place of an entry that still waits; False where it does not."""
        withdrawn = entry.ticket is not None and self._queue.withdraw(entry.ticket)
        self._show()
        return withdrawn

    def hand_over(self, entry: Entry) -> None:
        """A lane has it, and works on it as soon as it is done with what it has already."""
        entry.started = 0.0
        self._in_lanes.add(entry)

    def begin(self, entry: Entry) -> None:
        """Its lane is at it."""
        entry.started = time.monotonic()
        metrics.RUNNING.inc()

    def end(self, entry: Entry) -> None:
        """The lane is done with it, however it went."""
        self._in_lanes.discard(entry)
        if entry.started:
            metrics.RUNNING.dec()

    def in_lane(self, entry: Entry) -> bool:
        """Whether a lane has it."""
        return entry in self._in_lanes

    @property
    def idle(self) -> int:
        """Lanes that wait for an entry."""
        return self._queue.getters

    @property
    def waiting(self) -> int:
        """Entries that wait for a lane."""
        return len(self._queue)

    def wait_of(self, principal: str) -> float:
        """Predicted seconds until a new entry of this principal would run."""
        return self._wait(self._queue.seconds_ahead(principal))

    def wait_of_all(self) -> float:
        """Predicted seconds until all that is queued would be running."""
        return self._wait(self._queue.seconds)

    def _wait(self, queued_seconds: float) -> float:
        now, lanes = time.monotonic(), self.lanes_ready + self.lent
        left = [max(0.0, entry.cost - (now - (entry.started or now))) for entry in self._in_lanes]
        return predicted_wait(queued_seconds, left, lanes, 0.0 if self.lanes_ready else self.start_seconds)

    def _show(self) -> None:
        metrics.QUEUED_SECONDS.set(self._queue.seconds)
        if self.on_change is not None:
            self.on_change()
