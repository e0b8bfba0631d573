"""Requests under way, for a worker that ends: Uvicorn cancels them and does not wait until they have had their say."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


class UnderWay:
    """The tasks of a worker's requests."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def add(self, task: asyncio.Task[Any] | None) -> None:
        """Take note of one, until it is done."""
        if task:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    @asynccontextmanager
    async def seen_out(self, seconds: float) -> AsyncIterator[None]:
        """What they need lasts beyond this context, at whose end they have so long to answer and to note it."""
        try:
            yield
        finally:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=seconds)
