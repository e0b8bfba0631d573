"""Looks at what changes without anything happening, and shows it: for `/metrics`, which another worker may answer."""

import asyncio
import os
from collections.abc import Sequence

from server import metrics
from server.pool.backlog import Backlog
from server.pool.lane import Lane
from server.pool.memory import memory_of

_SECONDS = 1.0  # between two looks, which cost microseconds


async def observe(backlog: Backlog, lanes: Sequence[Lane]) -> None:
    """Keep the gauges of memory and of the wait true, until cancelled."""
    while True:
        metrics.CURRENT_WAIT_SECONDS.set(backlog.wait_of_all())
        metrics.MEMORY.labels("worker").set(memory_of(os.getpid()).own)
        metrics.MEMORY.labels("lanes").set(sum(memory_of(lane.pid).own for lane in lanes if not lane.died.is_set()))
        await asyncio.sleep(_SECONDS)
