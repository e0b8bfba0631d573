"""Bounds on bodies, which are kept here: their bytes, their speed, the bytes of all together; and on connections."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server import metrics
from server.errors import BodyTooLarge, BodyTooSlow, Overloaded
from server.http.spool import IN_MEMORY

_LONGEST_SECONDS = 3600.0  # for any body, and so the longest has to come fast, which holds much room


@dataclass(frozen=True, slots=True)
class BodyBounds:
    """What one body may be."""

    size: int
    """Bytes."""
    grace: float
    """Seconds of waiting that any body may take, and the longest that one may pause."""
    speed: float
    """Bytes a second that one has to bring which takes longer. However fast, none has more than an hour."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What one worker takes on."""

    connections: int = 1000
    head_seconds: float = 10.0
    """From the first byte of a head to its last, and from the beginning of a connection to its first byte."""
    body_seconds: float = 20.0
    """That a client may take nothing of its answer, as it may send nothing of its body."""


class BytesInFlight:
    """How many bytes the bodies of a worker's requests have, in memory or on the disk, each until its answer.

    One principal takes no more than is left for others, so that nobody alone can fill the whole (dynamic thresholds:
    A. Choudhury, E. Hahne, IEEE/ACM Transactions on Networking 6, 1998): alone it gets half, and whoever comes next
    half of the rest. A single body may have all that is left.
    """

    def __init__(self, limit: int, setting: str) -> None:
        """`setting` is what sets the limit, for whoever reads a refusal."""
        self._limit = limit
        self._setting = setting
        self._of: Counter[str] = Counter()
        self.total = 0

    def take(self, principal: str, size: int, own: int = 0) -> None:
        """Count bytes in, of a body that has `own` already; raise Overloaded where there is no room for them."""
        if not size:
            return
        left = self._limit - self.total
        held = self._of[principal]
        if size > left or (held > own and held + size > left):
            if not held:
                del self._of[principal]
            metrics.REJECTED.labels("bytes").inc()
            raise Overloaded(f"the bodies of other requests fill what {self._setting} allows")
        self._of[principal] += size
        self.total += size

    def give_back(self, principal: str, size: int) -> None:
        """Count bytes out."""
        if not size:
            return
        self.total -= size
        self._of[principal] -= size
        if not self._of[principal]:
            del self._of[principal]


@dataclass(frozen=True, slots=True)
class Room:
    """For the bodies of all requests: one is in memory up to a MiB, and on the disk if there is more of it."""

    memory: BytesInFlight
    disk: BytesInFlight

    def take(self, principal: str, held: int, size: int) -> None:
        """Let a body grow; raise Overloaded, having counted nothing, where there is no room for it."""
        memory = _in_memory(size) - _in_memory(held)
        self.memory.take(principal, memory, _in_memory(held))
        try:
            self.disk.take(principal, _on_disk(size) - _on_disk(held), _on_disk(held))
        except Overloaded:
            self.memory.give_back(principal, memory)
            raise

    def give_back(self, principal: str, size: int) -> None:
        """Count a whole body out."""
        self.memory.give_back(principal, _in_memory(size))
        self.disk.give_back(principal, _on_disk(size))


def _in_memory(size: int) -> int:
    return min(size, IN_MEMORY)


def _on_disk(size: int) -> int:
    return size if size > IN_MEMORY else 0


class BodyLimits:
    """Raises BodyTooLarge, BodyTooSlow or Overloaded: by the head where that says enough, else into whoever reads."""

    def __init__(self, app: ASGIApp, bounds: BodyBounds, room: Room) -> None:
        self._app = app
        self._bounds = bounds
        self._room = room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(scope, self._bounds, self._room, receive)
        try:
            body.announce()
            await self._app(scope, body.receive, send)
        finally:
            body.forget()


class _Body:
    """One body on its way in."""

    def __init__(self, scope: Scope, bounds: BodyBounds, room: Room, receive: Receive) -> None:
        announced = Headers(scope=scope).get("content-length", "")
        self._announced = int(announced) if announced.isdecimal() else 0
        self._bounds = bounds
        self._speed = max(bounds.speed, self._announced / _LONGEST_SECONDS)
        self._room = room
        self._state = scope["state"]
        self._principal = self._state["principal"].id
        self._receive = receive
        self._received = self._counted = 0
        self._grace = bounds.grace
        """Seconds that may still be waited for more."""
        self._left = _LONGEST_SECONDS
        """Seconds that may be waited in all: one that does not say how long it is could drip for days otherwise."""
        self._complete = False

    def announce(self) -> None:
        """Take what the head announces into account."""
        self._check_size(self._announced)
        self._count(self._announced)

    async def receive(self) -> Message:
        """ASGI."""
        if self._complete:
            return await self._receive()
        message = await self._receive_in_time()
        if fault := self._state.get("fault"):
            raise fault
        self._complete = message["type"] != "http.request" or not message.get("more_body", False)
        self._received += len(message.get("body", b""))
        self._check_size(self._received)
        self._count(self._received)
        return message

    def forget(self) -> None:
        """Give back what was counted."""
        if self._counted:
            self._room.give_back(self._principal, self._counted)

    async def _receive_in_time(self) -> Message:
        """Only the waiting counts: a slow disk here is no fault of the client's.

        What comes earns time, but never more than there was at first: a fast beginning allows no long silence.
        """
        began = time.monotonic()
        try:
            async with asyncio.timeout(min(self._grace, self._left)):
                message = await self._receive()
        except TimeoutError:
            metrics.REJECTED.labels("too_slow").inc()
            fault = "no end within an hour" if self._left < self._grace else "then too little for too long"
            raise BodyTooSlow(f"{self._received} bytes came, {fault}") from None
        waited = time.monotonic() - began
        earned = len(message.get("body", b"")) / self._speed
        self._grace = min(self._bounds.grace, self._grace - waited + earned)
        self._left -= waited
        return message

    def _check_size(self, size: int) -> None:
        if size > self._bounds.size:
            metrics.REJECTED.labels("too_large").inc()
            raise BodyTooLarge(f"more than {self._bounds.size} bytes; ASR_MAX_UPLOAD_MB sets the limit")

    def _count(self, size: int) -> None:
        if size > self._counted:
            self._room.take(self._principal, self._counted, size)
            self._counted = size
