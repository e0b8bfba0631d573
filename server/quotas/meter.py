"""What one request uses of its caller's limits."""

import asyncio
import contextlib
import math
from collections import Counter
from types import TracebackType
from typing import Protocol, Self

from inference.errors import InputError
from server import metrics
from server.errors import CLIENT_LEFT, BadRequest, PoisonInput, QuotaExceeded, QuotasUnreachable
from server.quotas.policies import Policy, Standing, fields
from server.quotas.windows import Window

_THEIRS = (InputError, BadRequest, PoisonInput, QuotaExceeded)
"""What goes wrong by the client's own doing: what was decoded until then counts."""
_A_PLACE = 1.0  # seconds after which one may be free


class Counts(Protocol):
    """Who counts."""

    async def hit(self, policy: Policy, subject: str, amount: int) -> bool | None:
        """See `Quotas.hit`."""
        ...

    async def window(self, policy: Policy, subject: str) -> Window | None:
        """See `Quotas.window`."""
        ...


class Meter:
    """Counts the audio of one request while it is entered.

    What is reserved counts at once, so that requests side by side cannot use the same rest. On leaving, what was not
    decoded is given back, and where the request was refused, failed by the server's fault, or was not done when the
    server ended, all but what the client has been told by then. Where the client left, what was reserved stays: the
    work for it had begun.
    """

    places = 0
    """That the caller has taken, this one's included."""

    def __init__(self, counts: Counts, subject: str, policies: tuple[Policy, ...]) -> None:
        self.subject = subject
        self.policies = policies
        self._counts = counts
        self._audio = tuple(policy for policy in policies if policy.item and policy.scale > 1)
        self._charged: Counter[Policy] = Counter()
        """Of audio, as it is counted."""
        self._decoded = 0.0
        """Seconds."""
        self._told = 0.0
        """Seconds."""

    async def begin(self) -> None:
        """Count the request itself; raise QuotaExceeded where there is no room for it, or no audio is left."""
        for policy in self.policies:
            if policy in self._audio:
                window = await self._counts.window(policy, self.subject)
                if window and window.used + 1 > policy.counted_by.amount:
                    raise await self.exceeded(policy, 1)
            elif policy.item and await self._counts.hit(policy, self.subject, 1) is False:
                raise await self.exceeded(policy, 1)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, asyncio.CancelledError) and error.args == (CLIENT_LEFT,):
            return
        owed = self._decoded if error is None or isinstance(error, _THEIRS) else self._told
        for policy in self._audio:
            unused = self._charged[policy] - round(owed * policy.scale)
            if unused > 0:
                with contextlib.suppress(QuotasUnreachable):
                    await self._counts.hit(policy, self.subject, -unused)

    async def reserve(self, seconds: float) -> None:
        """Count at least so much audio; raise QuotaExceeded where there is no room for it."""
        for policy in self._audio:
            whole = round(seconds * policy.scale)
            more = whole - self._charged[policy]
            if more > 0:
                counted = await self._counts.hit(policy, self.subject, more)
                if counted is False:
                    raise await self.exceeded(policy, whole)  # what it takes to try again
                self._charged[policy] += more if counted else 0

    async def decoded(self, seconds: float) -> None:
        """So much of it was decoded by now, whatever it said before; raise QuotaExceeded where there is no room."""
        self._decoded = max(self._decoded, seconds)
        await self.reserve(seconds)

    def told(self, seconds: float) -> None:
        """The client has the text of so much of it, which counts whatever goes wrong from now on.

        Else a client that reads a stream, and lets its own deadline pass before the end, would pay nothing.
        """
        self._told = max(self._told, seconds)

    async def fields(self) -> dict[str, str]:
        """Return header fields that say how much is left, as far as that is known."""
        try:
            standings = [await self._standing(policy) for policy in self.policies]
            return dict(fields(standing for standing in standings if standing))
        except QuotasUnreachable:
            return {}

    async def exceeded(self, policy: Policy, amount: int = 1) -> QuotaExceeded:
        """Make the error that says which limit has no room for an amount, as it is counted, and when it may have."""
        metrics.LIMITED.labels(policy.name).inc()
        wait = _A_PLACE
        if policy.item:
            window = await self._counts.window(policy, self.subject)
            wait = window.seconds_until(policy.item.amount - amount) if window else _A_PLACE
        detail = f"{policy.quota:g} {policy.meaning} are this caller's limit"
        if wait == math.inf:
            return QuotaExceeded(f"{detail}, and this is more", policy.name, None, await self.fields())
        return QuotaExceeded(detail, policy.name, max(1, math.ceil(wait)), await self.fields())

    async def _standing(self, policy: Policy) -> Standing | None:
        if policy.item is None:
            return Standing(policy, policy.quota - self.places, math.inf) if self.places else None
        window = await self._counts.window(policy, self.subject)
        if window is None:
            return None
        left = (policy.item.amount - window.used) / policy.scale
        more = window.seconds_until(policy.item.amount - (math.floor(left) + 1) * policy.scale)
        return Standing(policy, left, more)
