"""The life of one lane: start, work, die, start again."""

import asyncio
import itertools
import time
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from loguru import logger

from inference.worker import Ready, Task
from server import metrics
from server.backlog import Backlog, Job
from server.errors import LaneCrashed
from server.lane import Lane
from server.quarantine import Quarantine

_START_SECONDS = 180.0  # a lane that has not loaded its model by then is started again
_FIRST_BACKOFF, _LONGEST_BACKOFF = 0.1, 10.0  # seconds between tries to start
_KILL_GRACE = 0.5  # a task past its deadline has this long to reach the next stage
_HANG_FACTOR = 20.0  # a task that takes this many times as long as predicted hangs
_TRIES = 2


@dataclass(frozen=True, slots=True)
class Patience:
    """When a lane is ended from outside."""

    hang_seconds: float
    """The least time after which a silent lane is taken for hung."""
    memory_megabytes: float
    """Resident set at which a lane is started anew, between two requests."""


class Driver:
    """Feeds one lane from the backlog for as long as the worker lives."""

    def __init__(self, lane: Lane, backlog: Backlog, quarantine: Quarantine, patience: Patience) -> None:
        self._lane = lane
        self._backlog = backlog
        self._quarantine = quarantine
        self._patience = patience
        self._job: Job | None = None
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
            self._show(ready=False)
            metrics.LANES.labels("down").dec()
            await self._lane.close()

    def abandon(self, job: Job) -> None:
        """Ask the lane to stop at the next stage, where it is still at this job."""
        if job is self._job:
            self._lane.abandon(job.number)

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
            job = await self._next()
            if job is None:
                return "died"
            if job.outcome.done():  # its client left between the queue and here
                continue
            cause = await self._work(job)
            if cause is not None:
                return cause
            if self._lane.resident_megabytes > self._patience.memory_megabytes:
                return "memory"

    async def _next(self) -> Job | None:
        """Wait for work; None where the lane dies before."""
        getting = asyncio.create_task(self._backlog.get())
        dying = asyncio.create_task(self._lane.died.wait())
        try:
            await asyncio.wait({getting, dying}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            dying.cancel()
            getting.cancel()
        if not getting.done():
            return None
        job = getting.result()
        if self._lane.died.is_set():
            self._backlog.put_back(job)
            return None
        return job

    async def _work(self, job: Job) -> str | None:
        """Run one job to its end; return why the lane must go, if it must."""
        self._job = job
        self._backlog.begin(job)
        try:
            async with asyncio.timeout(self._limit(job)):
                transcript = await self._lane.run(Task(job.number, job.data, job.deadline))
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
            job.succeed(transcript)
        finally:
            self._job = None
            self._backlog.end(job)
        return None

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
        metrics.LANE_RESTARTS.labels(cause).inc()
        await self._lane.close()
        logger.bind(pid=pid, cause=cause, exit_code=self._lane.exit_code).warning("lane restarts")

    def _show(self, *, ready: bool) -> None:
        if ready != self.ready:
            self.ready = ready
            metrics.LANES.labels("ready").inc(1 if ready else -1)
            metrics.LANES.labels("down").inc(-1 if ready else 1)
