"""What tests of workers that share their work have in common."""

import asyncio
import time

import uvloop

from inference.task import Task
from inference.types import Options, StageTime, Transcript
from server.pool.entry import Entry
from server.principal import Principal

SOMEBODY = Principal("somebody", "somebody")
ANSWER = Transcript((), "hi", "model", 1.0, 1.0, False, (StageTime("inference", 0.0, 0.1),))


def play(scene):
    async def inside():
        async with asyncio.timeout(20):
            await scene()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(inside())


def task(seconds=100.0):
    return Task("transcribe", "model", b"", Options(), time.monotonic() + seconds)


def put(pool, seconds=100.0, cost=1.0):
    entry = Entry(task(seconds), SOMEBODY, cost)
    pool._backlog.put(entry)
    return entry


def idle_lane(pool):
    """Whatever the pool has to do next."""
    return asyncio.create_task(pool._backlog.get())


async def look(pool):
    """See who is there, in the order of their names."""
    await pool._siblings._look()
    pool._siblings._others.sort(key=lambda board: board.path)


async def until(condition):
    while not condition():  # noqa: ASYNC110 - what is awaited sends no events
        await asyncio.sleep(0.001)
