"""The life of one lane: start, work, die, start again."""

import asyncio
import itertools
import time
from collections import deque
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from loguru import logger

from inference.worker import Ready
from server import metrics
from server.errors import LaneCrashed
from server.pool.backlog import Backlog, Job
from server.pool.process_lane import Call, Lane
from server.pool.quarantine import Quarantine

_START_SECONDS = 180.0  # a lane that has not loaded its model by then is started again
_FIRST_BACKOFF, _LONGEST_BACKOFF = 0.1, 10.0  # seconds between tries to start
_KILL_GRACE = 0.5  # a task past its deadline has this long to reach the next stage
_HANG_FACTOR = 20.0  # a task that takes this many times as long as predicted hangs
_AHEAD = 0.85  # share of the time predicted for a clip, after which its lane gets the next one too
_LATE, _LATE_SECONDS = 1.5, 0.2  # a clip that takes longer than this by its prediction keeps no other one waiting
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
    """A job that the lane has."""

    job: Job
    call: Call


class Driver:
    """Feeds one lane from the backlog for as long as the worker lives."""

    def __init__(self, lane: Lane, backlog: Backlog, quarantine: Quarantine, patience: Patience) -> None:
        self._lane = lane
        self._backlog = backlog
        self._quarantine = quarantine
        self._patience = patience
        self._held: deque[_Held] = deque()
        """What the lane has: the job at work, and the next one for a moment before that is done."""
        self.ready = False
        """Whether the lane has passed its canary and lives."""
        self.came_up = False
        """Whether it ever has."""

    async def drive(self) -> None:
        """Run until cancelled."""
        try:
            while True:
                await self._start()
                cause = await self._serve()
                await self._retire(cause)
        finally:
            for held in self._held:
                held.call.answer.cancel()
            self._show(ready=False)
            metrics.LANES.labels("down").dec()
            await self._lane.close()

    def abandon(self, job: Job) -> None:
        """Ask the lane not to begin this job, or to stop at its next stage, where the lane has it."""
        for held in self._held:
            if job is held.job:
                self._lane.abandon(held.call)

    async def _start(self) -> None:
        for failures in itertools.count():
            try:
                async with asyncio.timeout(_START_SECONDS):
                    canary = await self._lane.start()
            except Exception as error:  # noqa: BLE001 - whatever it was, the next try may succeed
                delay = min(_FIRST_BACKOFF * 2**failures, _LONGEST_BACKOFF)
                logger.bind(error=repr(error), retry_seconds=delay).error("lane does not start")
                metrics.LANE_RESTARTS.labels("start_failed").inc()
                await self._lane.close()
                await asyncio.sleep(delay)
            else:
                self._greet(canary)
                return

    def _greet(self, canary: Ready) -> None:
        self._backlog.observe(canary.canary_seconds, canary.compute_seconds)
        self.came_up = True
        self._show(ready=True)
        metrics.PRECISION.labels(canary.precision).set(1)
        seconds = round(canary.compute_seconds, 3)
        logger.bind(
            pid=self._lane.pid, canary_seconds=seconds, prepared_graph=canary.prepared, precision=canary.precision
        ).info("lane ready")

    async def _serve(self) -> str:
        """Work until the lane is unfit for more; return why."""
        while True:
            job = self._backlog.get_nowait() or await self._wait_for_work()
            if job is None or not self._hand_over(job):
                return "died"
            while self._held:
                if cause := await self._finish(self._held[0]):
                    return cause
            if self._outgrown():
                return "memory"

    async def _wait_for_work(self) -> Job | None:
        """Wait for a job; None where the lane dies before."""
        getting = asyncio.create_task(self._backlog.get())
        dying = asyncio.create_task(self._lane.died.wait())
        try:
            await asyncio.wait({getting, dying}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            dying.cancel()
            getting.cancel()
        return getting.result() if getting.done() else None

    def _hand_over(self, job: Job) -> bool:
        """Give the lane a job, unless its client left between the queue and here; False where the lane has died."""
        if job.outcome.done():
            return True
        try:
            call = self._lane.call(job.data, job.deadline)
        except BrokenProcessPool:
            self._backlog.put_back(job)
            return False
        self._backlog.hand_over(job)
        self._held.append(_Held(job, call))
        return True

    def _hand_ahead(self) -> None:
        """Give the lane what comes next, shortly before it is done: neither waits for the other then.

        Only where something waits, and no earlier: until then whichever lane is free first should have it.
        """
        if not self._outgrown() and (job := self._backlog.get_nowait()):
            self._hand_over(job)

    def _take_back(self) -> None:
        """The job at work takes far longer than predicted: let other lanes have the one behind it."""
        while len(self._held) > 1:
            held = self._held.pop()
            self._lane.abandon(held.call)
            self._return(held)

    def _return(self, held: _Held) -> None:
        """Queue a job again that the lane had and did not begin."""
        held.call.answer.cancel()
        self._backlog.end(held.job)
        if not held.job.outcome.done():
            self._backlog.put_back(held.job)

    async def _finish(self, held: _Held) -> str | None:
        """See the lane's job through; return why the lane must go, if it must."""
        job = held.job
        self._backlog.begin(job)
        predicted = job.seconds * self._backlog.real_time_factor
        loop = asyncio.get_running_loop()
        timers = (
            loop.call_later(_AHEAD * predicted, self._hand_ahead),
            loop.call_later(_LATE * predicted + _LATE_SECONDS, self._take_back),
        )
        try:
            async with asyncio.timeout(self._limit(job)):
                answer = await held.call.answer
        except TimeoutError:
            if time.monotonic() >= job.deadline:
                return "deadline"  # nobody waits any more, and an impatient client does not make an input poisonous
            self._try_again(job)
            return "hung"
        except BrokenProcessPool:
            self._try_again(job)
            return "died"
        except Exception as error:  # noqa: BLE001 - whatever a stage raises belongs to this request alone
            job.fail(error)
        else:
            self._quarantine.record_success(job.data)
            self._backlog.observe(job.seconds, time.monotonic() - job.started)
            job.succeed(answer)
        finally:
            for timer in timers:
                timer.cancel()
            self._held.popleft()
            self._backlog.end(job)
        return None

    def _outgrown(self) -> bool:
        return self._lane.resident_megabytes > self._patience.memory_megabytes

    def _limit(self, job: Job) -> float:
        """Seconds after which the lane is taken for hung."""
        predicted = job.seconds * self._backlog.real_time_factor
        hangs_after = max(self._patience.hang_seconds, _HANG_FACTOR * predicted)
        return min(hangs_after, job.deadline + _KILL_GRACE - time.monotonic())

    def _try_again(self, job: Job) -> None:
        """Its process is gone: run it once more elsewhere, then give up on it."""
        job.tries += 1
        self._quarantine.record_kill(job.data)
        if job.outcome.done():
            return
        if job.tries < _TRIES:
            metrics.RETRIES.inc()
            self._backlog.put_back(job)
        else:
            job.fail(LaneCrashed(f"{_TRIES} processes died while they worked on this request"))

    async def _retire(self, cause: str) -> None:
        """Take the lane out of service for a restart."""
        pid = self._lane.pid
        self._show(ready=False)
        while self._held:
            self._return(self._held.popleft())
        metrics.LANE_RESTARTS.labels(cause).inc()
        await self._lane.close()
        logger.bind(pid=pid, cause=cause, exit_code=self._lane.exit_code).warning("lane restarts")

    def _show(self, *, ready: bool) -> None:
        if ready != self.ready:
            self.ready = ready
            metrics.LANES.labels("ready").inc(1 if ready else -1)
            metrics.LANES.labels("down").inc(-1 if ready else 1)
