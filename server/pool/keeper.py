"""Keeps one lane up: starts it, has it load models, ends it, and reports all that."""

import asyncio
import itertools
import time
from collections.abc import Mapping

from loguru import logger

from inference.worker import Ready
from server import metrics
from server.pool.backlog import Backlog
from server.pool.lane import Lane

_START_SECONDS = 180.0  # a lane that has not loaded its model by then is started again
_FIRST_BACKOFF, _LONGEST_BACKOFF = 0.1, 10.0  # seconds between tries to start


class Keeper:
    """The state of one lane, as the pool sees it."""

    def __init__(self, lane: Lane, model: str, backlog: Backlog) -> None:
        """`model` is the one that the lane loads before any request."""
        self.lane = lane
        self._model = model
        self._backlog = backlog
        self.loaded: tuple[str, ...] = ()
        """The models that the lane holds."""
        self.ready = False
        """Whether the lane has passed its canary and lives."""
        self.came_up = False
        """Whether it ever has."""
        self.warnings: dict[str, tuple[str, ...]] = {}
        """By model: why it is not computed as was asked for."""
        self.unguarded: tuple[str, ...] = ()
        """What could not be taken away from the lane before it hears strangers."""

    async def bring_up(self) -> None:
        """Start the lane, until it works."""
        for failures in itertools.count():
            began = time.monotonic()
            try:
                async with asyncio.timeout(_START_SECONDS):
                    ready = await self.lane.start(self._model)
            except Exception as error:  # noqa: BLE001 - whatever it was, the next try may succeed
                delay = min(_FIRST_BACKOFF * 2**failures, _LONGEST_BACKOFF)
                logger.bind(error=repr(error), retry_seconds=delay).error("lane does not start")
                metrics.LANE_RESTARTS.labels("start_failed").inc()
                await self.lane.close()
                await asyncio.sleep(delay)
            else:
                self._backlog.start_seconds = time.monotonic() - began
                self._greet(ready)
                self.came_up = True
                self._show(ready=True)
                return

    async def load(self, model: str) -> None:
        """Have the lane load a model; raise PackageError, BrokenExecutor, or TimeoutError."""
        async with asyncio.timeout(_START_SECONDS):
            self._greet(await self.lane.load(model))

    async def take_down(self, cause: str, ids: Mapping[str, str]) -> None:
        """End the lane, to be brought up again; `ids` are those of the request that it stumbled over, if any."""
        pid = self.lane.pid
        metrics.LANE_RESTARTS.labels(cause).inc()
        await self.close()
        logger.bind(**ids, pid=pid, cause=cause, exit_code=self.lane.exit_code).warning("lane restarts")

    async def close(self) -> None:
        """End the lane."""
        self._show(ready=False)
        await self.lane.close()

    def _greet(self, ready: Ready) -> None:
        """A model is loaded."""
        self.loaded = ready.loaded
        self.unguarded = ready.unguarded
        self._backlog.speed.learn(ready.model, "transcribe", ready.canary_seconds, ready.compute_seconds)
        metrics.PRECISION.labels(ready.precision).set(1)
        metrics.CANARY_SECONDS.labels(ready.model).set(ready.compute_seconds)
        logger.bind(
            pid=self.lane.pid,
            model=ready.model,
            canary_seconds=round(ready.compute_seconds, 3),
            prepared_graph=ready.prepared,
            precision=ready.precision,
        ).info("lane ready")
        metrics.WARNINGS.labels(ready.model).inc(len(ready.warnings) - len(self.warnings.get(ready.model, ())))
        self.warnings[ready.model] = ready.warnings
        for warning in ready.warnings:
            logger.bind(pid=self.lane.pid).warning(warning)

    def _show(self, *, ready: bool) -> None:
        if ready != self.ready:
            self.ready = ready
            change = 1 if ready else -1
            self._backlog.lanes_ready += change
            metrics.LANES.labels("ready").inc(change)
            metrics.LANES.labels("down").dec(change)
