"""What a lane has in hand, and the next clip, which it gets a moment before; driven here with a real process."""

import asyncio
import os
import signal
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from inference.errors import WorkCancelled
from inference.package import load_package
from inference.recogniser import SessionOptions
from inference.task import Task
from inference.types import AudioLimits, Options
from inference.worker import Setup
from server.errors import StorageFailed
from server.pool.backlog import Backlog
from server.pool.driver import Driver, Patience
from server.pool.entry import Entry
from server.pool.keeper import Keeper
from server.pool.limits import Limits
from server.pool.pool import Pool
from server.pool.process_lane import ProcessLane
from server.pool.quarantine import Quarantine
from server.principal import Principal
from tests.samples import CLIPS

MODEL = "model"
CLIP = CLIPS[0].read_bytes()
CLIENT = Principal("client", "client")
PATIENCE = Patience(hang_seconds=1e6, memory_megabytes=1e6)


@pytest.fixture(scope="module")
def setup(model_directory, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    packages = {MODEL: load_package(model_directory)}
    return Setup(packages, 1, "fp32", SessionOptions(threads=1), AudioLimits(), cache, os.getpid())


@pytest.fixture(autouse=True)
def nothing_is_late(monkeypatch):
    """However slow the machine; where something shall be, the test says so."""
    monkeypatch.setattr("server.pool.driver._LATE_SECONDS", 1000.0)


@asynccontextmanager
async def one_lane(setup):
    """A driver with its lane up, and the backlog that feeds it."""
    backlog = Backlog()
    keeper = Keeper(ProcessLane(setup), MODEL, backlog)
    driver = Driver(keeper, backlog, Quarantine(), PATIENCE)
    driving = asyncio.create_task(driver.drive())
    try:
        async with asyncio.timeout(120):
            await until(lambda: keeper.ready)
            yield driver, backlog
    finally:
        driving.cancel()
        await asyncio.gather(driving, return_exceptions=True)


def task():
    return Task("transcribe", MODEL, CLIP, Options(), time.monotonic() + 1e6)


def entry(cost=0.05):
    return Entry(task(), CLIENT, cost)


async def until(condition):
    while not condition():  # noqa: ASYNC110 - what is awaited sends no events
        await asyncio.sleep(0.001)


def put(backlog, count):
    entries = [entry() for _ in range(count)]
    for each in entries:
        backlog.put(each)
    return entries


def test_the_next_clip_is_in_the_lane_before_the_one_at_work_is_done(setup):
    async def scene():
        async with one_lane(setup) as (driver, backlog):
            os.kill(driver._lane.pid, signal.SIGSTOP)
            entries = [entry(cost=1.0) for _ in range(3)]
            for each in entries:
                backlog.put(each)
            await until(lambda: backlog.in_lane(entries[1]))
            early = [each.outcome.done() for each in entries], backlog.in_lane(entries[2])
            os.kill(driver._lane.pid, signal.SIGCONT)
            await asyncio.gather(*(each.outcome for each in entries))
            return early, backlog.wait_of_all()

    (done, third_in_lane), left = asyncio.run(scene())
    assert not any(done)
    assert not third_in_lane
    assert left == 0


def test_a_body_that_cannot_be_read_again_fails_alone(setup, tmp_path):
    async def scene():
        async with one_lane(setup) as (_, backlog):
            gone = Entry(replace(task(), audio=tmp_path / "gone"), CLIENT, 0.05)
            backlog.put(gone)
            entries = put(backlog, 2)
            await asyncio.wait({gone.outcome})
            texts = [(await each.outcome).text for each in entries]
            return gone.outcome.exception(), texts, backlog.wait_of_all()

    error, texts, left = asyncio.run(scene())
    assert isinstance(error, StorageFailed)
    assert "No such file" in error.detail
    assert all(texts)
    assert left == 0


def test_a_clip_that_was_not_begun_is_not_blamed_for_the_lane_that_died(setup):
    async def scene():
        async with one_lane(setup) as (driver, backlog):
            os.kill(driver._lane.pid, signal.SIGSTOP)
            entries = put(backlog, 3)
            await until(lambda: backlog.in_lane(entries[1]))
            os.kill(driver._lane.pid, signal.SIGKILL)
            await asyncio.gather(*(each.outcome for each in entries))
            return [each.tries for each in entries]

    assert asyncio.run(scene()) == [1, 0, 0]


def test_a_clip_behind_one_that_takes_too_long_is_queued_again(setup, monkeypatch):
    monkeypatch.setattr("server.pool.driver._LATE_SECONDS", 5.0)

    async def scene():
        async with one_lane(setup) as (driver, backlog):
            os.kill(driver._lane.pid, signal.SIGSTOP)
            entries = put(backlog, 2)
            await until(lambda: backlog.in_lane(entries[1]))
            await until(lambda: not backlog.in_lane(entries[1]))
            waiting = backlog.wait_of_all()
            os.kill(driver._lane.pid, signal.SIGCONT)
            texts = [(await each.outcome).text for each in entries]
            return waiting, texts

    waiting, texts = asyncio.run(scene())
    assert waiting > 0
    assert texts[0] == texts[1] != ""


def test_of_what_its_clients_have_left_the_lane_stops_one_clip_and_begins_no_other(setup):
    async def scene():
        async with one_lane(setup) as (driver, backlog):
            os.kill(driver._lane.pid, signal.SIGSTOP)
            entries = put(backlog, 2)
            await until(lambda: backlog.in_lane(entries[1]))
            answers = [held.call.answer for held in driver._held]
            for each in entries:
                each.outcome.cancel()
                driver.abandon(each)
            os.kill(driver._lane.pid, signal.SIGCONT)
            for answer in answers:
                with pytest.raises(WorkCancelled):
                    await answer
            (follower,) = put(backlog, 1)
            return (await follower.outcome).text

    assert asyncio.run(scene())


def test_whoever_is_cancelled_at_the_pool_leaves_the_lane(setup):
    async def scene():
        pool = Pool([ProcessLane(setup)], MODEL, Limits(1000.0, 100.0), PATIENCE)
        await pool.start()
        try:
            async with asyncio.timeout(120):
                await until(lambda: pool.ready)
                (driver,) = pool._drivers
                os.kill(driver._lane.pid, signal.SIGSTOP)
                running = asyncio.create_task(pool.run(task(), CLIENT, 0.05))
                await until(lambda: driver._held)
                answer = driver._held[0].call.answer
                running.cancel()
                await asyncio.wait([running])
                os.kill(driver._lane.pid, signal.SIGCONT)
                with pytest.raises(WorkCancelled):
                    await answer
        finally:
            await pool.close()

    asyncio.run(scene())
