"""What each caller may do, and what it has done: requests and seconds of audio in time, requests at the same time."""

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import fields, replace
from typing import Self, TypeVar

from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError
from loguru import logger

from server import metrics
from server.errors import QuotasUnreachable
from server.principal import Limits, Principal
from server.quotas.counters import LEASE_SECONDS, Counters
from server.quotas.meter import Meter
from server.quotas.policies import Policy, policies_of
from server.quotas.windows import Window

PATIENCE = 1.0
"""Seconds within which the counters answer, or are unreachable."""
_PAUSE = 1.0  # seconds in which they are not asked again then
_RENEW_EVERY = LEASE_SECONDS / 4

Answer = TypeVar("Answer")


class Quotas:
    """The limits of all callers; `running` while it is used."""

    def __init__(self, counters: Counters, defaults: Limits, *, refuse_unreachable: bool) -> None:
        """`defaults` are the limits of whoever has none of its own.

        Where the counters cannot be reached, callers with limits are refused or, without `refuse_unreachable`, let in.
        """
        self._counters = counters
        self._limiter = SlidingWindowCounterRateLimiter(counters.storage)
        self._defaults = defaults
        self._refuse_unreachable = refuse_unreachable
        self._worker = os.urandom(8).hex()
        self._numbers = itertools.count()
        self._held: dict[str, str] = {}
        """Holder → subject, of the places that are held here."""
        self._ask_from = 0.0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Renew places, until the context is left."""
        renewing = asyncio.create_task(self._keep_renewing())
        try:
            yield self
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            await self._counters.places.close()

    @contextlib.asynccontextmanager
    async def admit(self, principal: Principal, *, stream: bool = False) -> AsyncIterator[Meter]:
        """Count a request, and hold its place, or that of a stream, until the context is left.

        Raises QuotaExceeded, where no audio is left too, or QuotasUnreachable.
        """
        meter = Meter(self, principal.id, policies_of(self._limits(principal), stream=stream))
        async with contextlib.AsyncExitStack() as held:
            for policy in meter.policies:
                if policy.item is None:
                    await held.enter_async_context(self._place(meter, policy))
            await meter.begin()
            yield meter

    async def ask(self, question: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """Return what the counters say; None where they cannot be reached and that does not matter.

        Raises QuotasUnreachable where it does.
        """
        if time.monotonic() >= self._ask_from:
            try:
                async with asyncio.timeout(PATIENCE):
                    return await question()
            except (StorageError, TimeoutError) as error:
                self._ask_from = time.monotonic() + _PAUSE
                logger.bind(error=repr(error.__cause__ or error)).warning("limits cannot be counted")
        metrics.QUOTAS_UNREACHABLE.inc()
        if self._refuse_unreachable:
            raise QuotasUnreachable("what this caller has used cannot be counted now; try again")
        return None

    async def hit(self, policy: Policy, subject: str, amount: int) -> bool | None:
        """Count an amount; return False where there is no room for it, None where nothing could be counted."""
        item = policy.counted_by
        return await self.ask(lambda: self._limiter.hit(item, policy.name, subject, cost=amount))

    async def window(self, policy: Policy, subject: str) -> Window | None:
        """Return what was counted; None where that is not known."""
        key, length = policy.counted_by.key_for(policy.name, subject), policy.window
        found = await self.ask(lambda: self._counters.windows.get_sliding_window(key, length))
        if found is None:
            return None
        previous, _, current, counts_for = found
        return Window(length, previous, current, 2 * length - counts_for if counts_for else 0.0)

    def _limits(self, principal: Principal) -> Limits:
        own = {each.name: getattr(principal.limits, each.name) for each in fields(Limits)}
        return replace(self._defaults, **{name: value for name, value in own.items() if value is not None})

    @contextlib.asynccontextmanager
    async def _place(self, meter: Meter, policy: Policy) -> AsyncIterator[None]:
        subject, most = f"{policy.name}/{meter.subject}", int(policy.quota)
        holder = f"{self._worker}-{next(self._numbers)}"
        meter.places = await self.ask(lambda: self._counters.places.hold(subject, most, holder)) or 0
        if meter.places > most:
            raise await meter.exceeded(policy)
        self._held[holder] = subject
        try:
            yield
        finally:
            del self._held[holder]
            with contextlib.suppress(QuotasUnreachable):  # it is free by itself after a while
                await self.ask(lambda: self._counters.places.give_back(subject, holder))

    async def _keep_renewing(self) -> None:
        while True:
            await asyncio.sleep(_RENEW_EVERY)
            if self._held:
                with contextlib.suppress(QuotasUnreachable):
                    await self.ask(lambda: self._counters.places.renew(self._held))
