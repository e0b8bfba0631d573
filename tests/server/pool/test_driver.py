"""A lane gets its next clip before it is done with the one at hand; driven here with a real process."""

import asyncio
import itertools
import os
import signal
import time
from contextlib import asynccontextmanager

import pytest

from inference.package import load_package
from inference.recogniser import SessionOptions
from inference.types import Options
from inference.worker import Setup
from server.pool.backlog import Backlog, Job
from server.pool.driver import Driver, Patience
from server.pool.process_lane import Lane
from server.pool.quarantine import Quarantine
from tests.samples import CLIPS

CLIP = CLIPS[0].read_bytes()


@pytest.fixture(scope="module")
def setup(model_directory, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    return Setup(load_package(model_directory), "fp32", SessionOptions(threads=1), Options(), cache, os.getpid())


@asynccontextmanager
async def one_lane(setup):
    """A driver with its lane up, and the backlog that feeds it."""
    backlog = Backlog(1)
    driver = Driver(Lane(setup), backlog, Quarantine(), Patience(hang_seconds=60, memory_megabytes=1e6))
    driving = asyncio.create_task(driver.drive())
    try:
        async with asyncio.timeout(120):
            await until(lambda: driver.ready)
            yield driver, backlog
    finally:
        driving.cancel()
        await asyncio.gather(driving, return_exceptions=True)


def job(seconds=2.0):
    return Job(CLIP, "client", seconds, time.monotonic() + 100)


async def until(condition):
    while not condition():  # noqa: ASYNC110 - what is awaited sends no events
        await asyncio.sleep(0.001)


def put(backlog, count):
    jobs = [job() for _ in range(count)]
    for each in jobs:
        backlog.put(each)
    return jobs


def test_the_next_clip_is_in_the_lane_before_the_one_at_work_is_done(setup):
    async def scene():
        async with one_lane(setup) as (_, backlog):
            jobs = put(backlog, 8)
            handed_early = 0
            for here, following in itertools.pairwise(jobs):
                await until(lambda here=here, following=following: here.outcome.done() or backlog.in_lane(following))
                handed_early += not here.outcome.done()
            await asyncio.gather(*(each.outcome for each in jobs))
            return handed_early, backlog.wait_of_all()

    handed_early, left = asyncio.run(scene())
    assert handed_early > 0
    assert left == 0


def test_a_clip_that_was_not_begun_is_not_blamed_for_the_lane_that_died(setup):
    async def scene():
        async with one_lane(setup) as (driver, backlog):
            os.kill(driver._lane.pid, signal.SIGSTOP)
            jobs = put(backlog, 3)
            await until(lambda: backlog.in_lane(jobs[1]))
            os.kill(driver._lane.pid, signal.SIGKILL)
            await asyncio.gather(*(each.outcome for each in jobs))
            return [each.tries for each in jobs]

    assert asyncio.run(scene()) == [1, 0, 0]


def test_a_clip_behind_one_that_takes_too_long_is_queued_again(setup):
    async def scene():
        async with one_lane(setup) as (driver, backlog):
            os.kill(driver._lane.pid, signal.SIGSTOP)
            jobs = put(backlog, 2)
            await until(lambda: backlog.in_lane(jobs[1]))
            await until(lambda: not backlog.in_lane(jobs[1]))
            waiting = backlog.wait_of_all()
            os.kill(driver._lane.pid, signal.SIGCONT)
            texts = [(await each.outcome).transcript.text for each in jobs]
            return waiting, texts

    waiting, texts = asyncio.run(scene())
    assert waiting > 0
    assert texts[0] == texts[1] != ""


def test_a_client_that_leaves_frees_the_lane_of_what_comes_next(setup):
    async def scene():
        async with one_lane(setup) as (driver, backlog):
            os.kill(driver._lane.pid, signal.SIGSTOP)
            jobs = put(backlog, 2)
            await until(lambda: backlog.in_lane(jobs[1]))
            jobs[1].outcome.cancel()
            driver.abandon(jobs[1])
            os.kill(driver._lane.pid, signal.SIGCONT)
            await jobs[0].outcome
            await until(lambda: not backlog.in_lane(jobs[1]))
            follower = job()
            backlog.put(follower)
            return (await follower.outcome).transcript.text

    assert asyncio.run(scene())
