"""A few recordings at once; the others wait for their turn, and nobody keeps all places."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from server import metrics
from server.principal import Principal


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    principal: Principal
    turn: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Turns:
    """Places for recordings.

    A principal takes no more of them than it leaves to others (as `BytesInFlight` has it), but always a first one.
    Of those who wait, whoever has least by its weight comes first, then whoever came first.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._of: Counter[str] = Counter()
        """Places that each principal has."""
        self._waiting: list[_Waiting] = []

    @property
    def running(self) -> int:
        """How many places are taken."""
        return self._of.total()

    @asynccontextmanager
    async def turn(self, principal: Principal) -> AsyncIterator[None]:
        """Wait for a place, and keep it for as long as the context lasts."""
        mine = _Waiting(principal)
        self._waiting.append(mine)
        try:
            self._let_in()
            await mine.turn
            yield
        finally:
            if mine in self._waiting:
                self._waiting.remove(mine)
            else:
                self._of -= Counter((principal.id,))  # and forgets who has none
            self._let_in()

    def _let_in(self) -> None:
        while entitled := [each for each in self._waiting if self._may_have_one(each.principal.id)]:
            following = min(entitled, key=lambda each: self._of[each.principal.id] / each.principal.weight)
            self._waiting.remove(following)
            self._of[following.principal.id] += 1
            if not following.turn.done():
                following.turn.set_result(None)
        metrics.RECORDINGS.labels("waiting").set(len(self._waiting))
        metrics.RECORDINGS.labels("running").set(self.running)

    def _may_have_one(self, principal: str) -> bool:
        left, held = self._places - self.running, self._of[principal]
        return left > 0 and (not held or held < left)
