"""Feeds one lane: an entry at a time, the next one shortly before, and what becomes of them where the lane fails."""

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass

from loguru import logger

from inference.errors import PackageError
from server import metrics
from server.errors import LaneCrashed, ModelUnavailable, StorageFailed
from server.pool.backlog import Backlog
from server.pool.entry import Entry
from server.pool.keeper import Keeper
from server.pool.lane import Call
from server.pool.quarantine import Quarantine

_KILL_GRACE = 0.5  # a task past its deadline has this long to reach the next stage
_HANG_FACTOR = 20.0  # a task that takes this many times as long as predicted hangs
_AHEAD = 0.85  # share of the time predicted for a task, after which its lane gets the next one too
_LATE, _LATE_SECONDS = 1.5, 0.2  # a task that takes longer than this by its prediction keeps no other one waiting
_TRIES = 2


@dataclass(frozen=True, slots=True)
class Patience:
    """When a lane is ended from outside."""

    hang_seconds: float
    """The least time after which a silent lane is taken for hung."""
    memory_megabytes: float
    """Resident set at which a lane is started anew, between two requests."""


@dataclass(frozen=True, slots=True)
class _Held:
    """An entry that the lane has."""

    entry: Entry
    call: Call


class Driver:
    """Feeds one lane from the backlog for as long as the worker lives."""

    def __init__(self, keeper: Keeper, backlog: Backlog, quarantine: Quarantine, patience: Patience) -> None:
        self._keeper = keeper
        self._lane = keeper.lane
        self._backlog = backlog
        self._quarantine = quarantine
        self._patience = patience
        self._taken: Entry | None = None
        """Off the queue, and not yet in the lane."""
        self._held: deque[_Held] = deque()
        """What the lane has: the entry at work, and the next one for a moment before that is done."""
        self._stumbled: Mapping[str, str] = {}
        """Ids of the request over which the lane fell."""

    async def drive(self) -> None:
        """Run until cancelled."""
        try:
            while True:
                await self._keeper.bring_up()
                cause = await self._serve()
                self._give_back()
                await self._keeper.take_down(cause, self._stumbled)
                self._stumbled = {}
        finally:
            self._give_back()
            await self._keeper.close()

    def abandon(self, entry: Entry) -> None:
        """Ask the lane not to begin this entry, or to stop at its next stage, where the lane has it."""
        for held in self._held:
            if entry is held.entry:
                self._lane.abandon(held.call)

    async def _serve(self) -> str:
        """Work until the lane is unfit for more; return why."""
        while True:
            self._taken = self._backlog.get_nowait() or await self._wait_for_work()
            if self._taken is None:
                return "died"
            cause = await self._take_on(self._taken)
            self._taken = None
            if cause:
                return cause
            while self._held:
                if cause := await self._finish(self._held[0]):
                    return cause
            if self._outgrown():
                return "memory"

    async def _wait_for_work(self) -> Entry | None:
        """Wait for an entry; None where the lane dies before."""
        getting = asyncio.create_task(self._backlog.get())
        dying = asyncio.create_task(self._lane.died.wait())
        try:
            await asyncio.wait({getting, dying}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if getting.done():
                self._backlog.put_back(getting.result())
            raise
        finally:
            dying.cancel()
            getting.cancel()
        return getting.result() if getting.done() else None

    async def _take_on(self, entry: Entry) -> str | None:
        """Give the lane an entry, and its model before; return why the lane must go, if it must."""
        if entry.outcome.done():
            return None  # its client left between the queue and here
        if entry.task.model not in self._keeper.loaded and (cause := await self._load(entry)):
            return cause
        if not entry.outcome.done() and not self._hand_over(entry):
            self._backlog.put_back(entry)
            return "died"
        return None

    async def _load(self, entry: Entry) -> str | None:
        """Have the lane load an entry's model, however long the client waits: others will want it too."""
        self._backlog.hand_over(entry)
        try:
            await self._keeper.load(entry.task.model)
        except PackageError as error:
            logger.bind(**entry.task.ids, model=entry.task.model, error=str(error)).error("a model cannot be loaded")
            entry.fail(ModelUnavailable(f"{entry.task.model} cannot be loaded; the server's log says why"))
        except (TimeoutError, BrokenExecutor):
            self._try_again(entry)
            self._stumbled = entry.task.ids
            return "load_failed"
        finally:
            self._backlog.end(entry)
        return None

    def _hand_over(self, entry: Entry) -> bool:
        """Give the lane an entry whose model it has; False where the lane has died."""
        try:
            call = self._lane.call(entry.task)
        except BrokenExecutor:
            return False
        except OSError as error:
            entry.fail(StorageFailed(f"the body cannot be read again: {error.strerror}"))
            return True
        self._backlog.hand_over(entry)
        self._held.append(_Held(entry, call))
        return True

    def _hand_ahead(self) -> None:
        """Give the lane what comes next, shortly before it is done: neither waits for the other then.

        Only where something waits that it can begin at once, and no earlier: until then whichever lane is free first
        should have it.
        """
        following = self._backlog.peek()
        if following is None or following.task.model not in self._keeper.loaded or self._outgrown():
            return
        self._backlog.get_nowait()
        if not self._hand_over(following):
            self._backlog.put_back(following)

    def _take_back(self) -> None:
        """The entry at work takes far longer than predicted: let other lanes have the one behind it."""
        while len(self._held) > 1:
            held = self._held.pop()
            self._lane.abandon(held.call)
            self._return(held)

    def _return(self, held: _Held) -> None:
        """Queue an entry again that the lane had and did not begin."""
        held.call.answer.cancel()
        self._backlog.end(held.entry)
        if not held.entry.outcome.done():
            self._backlog.put_back(held.entry)

    async def _finish(self, held: _Held) -> str | None:
        """See the lane's entry through; return why the lane must go, if it must."""
        entry = held.entry
        self._backlog.begin(entry)
        loop = asyncio.get_running_loop()
        timers = (
            loop.call_later(_AHEAD * entry.cost, self._hand_ahead),
            loop.call_later(_LATE * entry.cost + _LATE_SECONDS, self._take_back),
        )
        cause = None
        try:
            async with asyncio.timeout(self._limit(entry)):
                transcript = await held.call.answer
        except TimeoutError:
            # Past the deadline nobody waits any more, and an impatient client does not make an input poisonous.
            cause = "deadline" if time.monotonic() >= entry.deadline else "hung"
        except BrokenExecutor:
            cause = "died"
        except asyncio.CancelledError:
            self._try_again(entry)  # the worker ends, and answers what is left
            raise
        except Exception as error:  # noqa: BLE001 - whatever a stage raises belongs to this request alone
            entry.fail(error)
        else:
            seconds = time.monotonic() - entry.started
            self._backlog.speed.learn(entry.task.model, entry.task.kind, transcript.heard, seconds)
            entry.succeed(transcript)
        finally:
            for timer in timers:
                timer.cancel()
            self._held.popleft()
            self._backlog.end(entry)
        await self._record(entry, cause)
        if cause:
            self._stumbled = entry.task.ids
        return cause

    async def _record(self, entry: Entry, cause: str | None) -> None:
        """Draw the consequences for the input of how its lane fared."""
        if cause in {"hung", "died"}:
            try:
                await self._quarantine.record_kill(entry.task)  # before the client hears of it, and sends it again
            finally:
                self._try_again(entry)
        elif cause is None:
            await self._quarantine.record_success(entry.task)

    def _outgrown(self) -> bool:
        return self._lane.own_megabytes > self._patience.memory_megabytes

    def _limit(self, entry: Entry) -> float:
        """Seconds after which the lane is taken for hung."""
        hangs_after = max(self._patience.hang_seconds, _HANG_FACTOR * entry.cost)
        return min(hangs_after, entry.deadline + _KILL_GRACE - time.monotonic())

    def _try_again(self, entry: Entry) -> None:
        """What was to answer it is gone: run it once more elsewhere, then give up on it."""
        entry.tries += 1
        if entry.outcome.done():
            return
        if entry.tries < _TRIES:
            metrics.RETRIES.inc()
            self._backlog.put_back(entry)
        else:
            entry.fail(LaneCrashed(f"{_TRIES} processes died while they worked on this request"))

    def _give_back(self) -> None:
        """Part with every entry, so that another lane answers it; what this one stumbled over counts a try."""
        if self._taken is not None:
            self._try_again(self._taken)
            self._taken = None
        while self._held:
            self._return(self._held.popleft())
