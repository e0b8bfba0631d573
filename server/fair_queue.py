"""A queue that shares the machine between clients by seconds of audio.

Start-time fair queueing (P. Goyal, H. Vin, H. Cheng, SIGCOMM 1996): an item is served in the order of
its start tag, the later of the queue's virtual time and the client's previous finish. A client's own
items keep their order, and a client that floods delays itself, not the others.
"""

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(order=True, slots=True)
class Ticket(Generic[Item]):
    """A place in the queue."""

    start: float
    """Start tag, in seconds of audio of virtual time."""
    number: int
    cost: float = field(compare=False)
    """Seconds of audio."""
    item: Item | None = field(compare=False)
    """None once it was withdrawn."""


class FairQueue(Generic[Item]):
    """Unbounded by itself: whoever puts has been admitted first."""

    def __init__(self) -> None:
        self._tickets: asyncio.PriorityQueue[Ticket[Item]] = asyncio.PriorityQueue()
        self._numbers = itertools.count()
        self._virtual_time = 0.0
        self._finish: dict[str, float] = {}
        self.seconds = 0.0
        """Audio that is waiting, in seconds."""

    def put(self, item: Item, client: str, cost: float) -> Ticket[Item]:
        """Append for a client; `cost` in seconds of audio."""
        start = self._start_tag(client)
        self._finish[client] = start + cost
        return self._enter(Ticket(start, next(self._numbers), cost, item))

    def put_first(self, item: Item, cost: float) -> Ticket[Item]:
        """Return something to the front that has waited already."""
        return self._enter(Ticket(-1.0, next(self._numbers), cost, item))

    async def get(self) -> Item:
        """Wait for the next item that was not withdrawn. Cancelling loses nothing."""
        while True:
            ticket = await self._tickets.get()
            self._virtual_time = max(self._virtual_time, ticket.start)
            if self._tickets.empty():
                self._finish.clear()  # every client's debt is paid; keep no memory of who came by
            if ticket.item is not None:
                self.seconds -= ticket.cost
                return ticket.item

    def seconds_ahead(self, client: str) -> float:
        """Audio that would be served before a new item of this client, in seconds."""
        start = self._start_tag(client)
        # The heap of a PriorityQueue is a plain list; a sum over it needs no order.
        waiting: list[Ticket[Item]] = self._tickets._queue  # type: ignore[attr-defined]  # noqa: SLF001
        return sum(ticket.cost for ticket in waiting if ticket.item is not None and ticket.start <= start)

    def withdraw(self, ticket: Ticket[Item]) -> bool:
        """Take an item back and free its place; False where it has left the queue already."""
        if ticket.item is None:
            return False
        ticket.item = None
        self.seconds -= ticket.cost
        return True

    def _start_tag(self, client: str) -> float:
        return max(self._virtual_time, self._finish.get(client, 0.0))

    def _enter(self, ticket: Ticket[Item]) -> Ticket[Item]:
        self._tickets.put_nowait(ticket)
        self.seconds += ticket.cost
        return ticket
