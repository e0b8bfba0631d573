"""A queue that shares the machine between clients by lane seconds.

Start-time fair queueing (P. Goyal, H. Vin, H. Cheng, SIGCOMM 1996): an item is served in the order of
its start tag, the later of the queue's virtual time and the client's previous finish. A client's own
items keep their order, and a client that floods delays itself, not the others. Under load a client of
weight 4 gets four times the lane seconds that one of weight 1 gets.
"""

import asyncio
import itertools
from collections import defaultdict
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Generic, TypeVar

Item = TypeVar("Item")

_MOST_REMEMBERED = 10_000  # clients


@dataclass(order=True, frozen=True, slots=True)
class Ticket:
    """A place in the queue."""

    start: float
    """Start tag, in lane seconds of virtual time."""
    number: int
    cost: float = field(compare=False)
    """Lane seconds."""
    client: str | None = field(compare=False)
    """Who pays for it; nobody for what has been paid before."""
    weight: float = field(default=1.0, compare=False)
    """The client's share, relative to the others'."""

    @property
    def finish(self) -> float:
        """Finish tag, where the client's next item starts at the earliest."""
        return self.start + self.cost / self.weight


class FairQueue(Generic[Item]):
    """Unbounded by itself: whoever puts has been admitted first."""

    def __init__(self) -> None:
        self._order: list[Ticket] = []
        """A heap, with tickets of withdrawn items among them."""
        self._getters: list[asyncio.Future[None]] = []
        """Who waits for an item, the latest last."""
        self._waiting: dict[Ticket, Item] = {}
        self._waiting_of: defaultdict[str | None, dict[Ticket, None]] = defaultdict(dict)
        """Each client's tickets that wait, in their order."""
        self._seconds = 0.0
        self._numbers = itertools.count()
        self._virtual_time = 0.0
        self._latest_start = 0.0
        """No ticket that waits starts later."""
        self._served: dict[str, float] = {}

    def put(self, item: Item, client: str, cost: float, weight: float = 1.0) -> Ticket:
        """Append for a client of that weight; `cost` in lane seconds."""
        return self._enter(Ticket(self._start_tag(client), next(self._numbers), cost, client, weight), item)

    def put_first(self, item: Item, cost: float) -> Ticket:
        """Return something to the front that has waited already."""
        return self._enter(Ticket(-1.0, next(self._numbers), cost, None), item)

    async def get(self) -> Item:
        """Wait for the next item that was not withdrawn. Cancelling loses nothing.

        Of several that wait, whoever came last is served first: the caches of that lane are still warm.
        """
        while (item := self.get_nowait()) is None:
            woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._getters.append(woken)
            try:
                await woken
            except asyncio.CancelledError:
                if woken in self._getters:
                    self._getters.remove(woken)
                elif not woken.cancelled():
                    self._wake()  # what this one was woken for is another's now
                raise
        return item

    def get_nowait(self) -> Item | None:
        """Return the next item that was not withdrawn; None where nothing waits."""
        if self.peek() is None:
            return None
        ticket = heappop(self._order)
        self._reach(ticket)
        return self._leave(ticket)

    def peek(self) -> Item | None:
        """Return the next item that was not withdrawn, and leave it there; None where nothing waits."""
        while self._order:
            ticket = self._order[0]
            if ticket in self._waiting:
                return self._waiting[ticket]
            heappop(self._order)
            self._virtual_time = max(self._virtual_time, ticket.start)
        return None

    def withdraw(self, ticket: Ticket) -> bool:
        """Take an item back and free its place; False where it has left the queue already."""
        if ticket not in self._waiting:
            return False
        self._leave(ticket)
        return True

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def getters(self) -> int:
        """How many wait for an item."""
        return len(self._getters)

    @property
    def seconds(self) -> float:
        """Lane seconds that are waiting."""
        return self._seconds

    def seconds_ahead(self, client: str) -> float:
        """Lane seconds that would be served before a new item of this client."""
        start = self._start_tag(client)
        if start >= self._latest_start:  # a client that floods stands at the end: asked most often when time is short
            return self._seconds
        return sum(ticket.cost for ticket in self._waiting if ticket.start <= start)

    def _start_tag(self, client: str) -> float:
        # Only what waits and what was served counts: whoever withdraws owes nothing for it.
        waiting = self._waiting_of.get(client)
        last = next(reversed(waiting)).finish if waiting else 0.0
        return max(self._virtual_time, self._served.get(client, 0.0), last)

    def _reach(self, ticket: Ticket) -> None:
        """Let time come to this ticket's turn."""
        self._virtual_time = max(self._virtual_time, ticket.start)
        if ticket.client is not None:
            self._remember(ticket.client, ticket.finish)
        if not self._order:
            self._served.clear()  # every client's debt is paid; keep no memory of who came by

    def _remember(self, client: str, finish: float) -> None:
        """Keep what a client has had, the latest last; ever new clients push out the oldest, and nothing grows."""
        self._served.pop(client, None)
        self._served[client] = finish
        if len(self._served) > _MOST_REMEMBERED:
            del self._served[next(iter(self._served))]

    def _enter(self, ticket: Ticket, item: Item) -> Ticket:
        self._waiting[ticket] = item
        self._waiting_of[ticket.client][ticket] = None
        self._seconds += ticket.cost
        self._latest_start = max(self._latest_start, ticket.start)
        heappush(self._order, ticket)
        self._wake()
        return ticket

    def _wake(self) -> None:
        while self._getters:
            woken = self._getters.pop()
            if not woken.done():  # or else it has just been cancelled
                woken.set_result(None)
                return

    def _leave(self, ticket: Ticket) -> Item:
        of_client = self._waiting_of[ticket.client]
        del of_client[ticket]
        if not of_client:
            del self._waiting_of[ticket.client]
        item = self._waiting.pop(ticket)
        self._seconds -= ticket.cost
        if not self._waiting:
            self._seconds = self._latest_start = 0.0  # so that rounding errors do not add up
        return item
