"""What workers learn from their master: that the server is about to end, and that they take over from others."""

import asyncio
import mmap
from collections.abc import Callable

_LOOK_SECONDS = 0.02

_draining = mmap.mmap(-1, 1)  # the master writes, workers read: who imports this before it forks shares it
patience = 0.0
"""Seconds that this worker gives its lanes before it listens: while it does not, others serve."""


def begin_draining() -> None:
    """Say that no more requests should come; those that do are served."""
    _draining[0] = 1


def draining() -> bool:
    """Whether somebody has said so."""
    return bool(_draining[0])


async def until_ready(ready: Callable[[], bool]) -> None:
    """Wait for `ready`, as long as there is patience."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + patience
    while not ready() and loop.time() < give_up:  # noqa: ASYNC110 - lanes come up where nobody sets an event
        await asyncio.sleep(_LOOK_SECONDS)
