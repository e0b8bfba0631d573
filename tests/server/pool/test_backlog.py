"""The prediction of a wait, and permits that come back."""

import asyncio
import time

import pytest

from inference.task import Task
from inference.types import Options
from server.pool.backlog import Backlog
from server.pool.entry import Entry
from server.principal import Principal


@pytest.fixture
def play():
    """Run a scene inside an event loop, where jobs can be made."""

    def play(scene):
        async def inside():
            return scene()

        return asyncio.run(inside())

    return play


def entry(cost=10.0, client="client"):
    task = Task("transcribe", "model", b"", Options(), time.monotonic() + 60)
    return Entry(task, Principal(client, client), cost)


def backlog_of(lanes):
    backlog = Backlog()
    backlog.lanes_ready = lanes
    return backlog


def test_an_empty_backlog_keeps_nobody_waiting():
    assert backlog_of(2).wait_of("anybody") == 0
    assert backlog_of(2).wait_of_all() == 0


def test_a_free_lane_means_no_wait(play):
    def scene():
        backlog = backlog_of(2)
        running = entry()
        backlog.hand_over(running)
        backlog.begin(running)
        return backlog.wait_of("client")

    assert play(scene) == 0


def test_the_wait_is_work_by_lanes(play):
    def scene():
        backlog = backlog_of(2)
        for _ in range(4):
            backlog.put(entry(cost=2))
        return backlog

    backlog = play(scene)
    assert backlog.wait_of("client") == pytest.approx(4 * 2 / 2)
    assert backlog.wait_of_all() == pytest.approx(4)


def test_dead_lanes_are_no_capacity(play):
    def scene():
        backlog = backlog_of(2)
        for _ in range(4):
            backlog.put(entry(cost=2))
        backlog.lanes_ready = 1
        one = backlog.wait_of_all()
        backlog.lanes_ready, backlog.start_seconds = 0, 3.0
        return one, backlog.wait_of_all()

    assert play(scene) == (pytest.approx(8), pytest.approx(3 + 8))


def test_running_work_counts_with_what_is_left_of_it(play):
    def scene():
        backlog = backlog_of(1)
        running = entry()
        backlog.hand_over(running)
        backlog.begin(running)
        running.started -= 4
        return backlog.wait_of("client")

    assert play(scene) == pytest.approx(6, abs=0.5)


def test_a_light_client_is_promised_less_than_a_flooder(play):
    def scene():
        backlog = backlog_of(1)
        for _ in range(10):
            backlog.put(entry(client="flooder"))
        return backlog

    backlog = play(scene)
    assert backlog.wait_of("other") < backlog.wait_of("flooder") / 5


def test_permits_come_back(play):
    def scene():
        backlog = backlog_of(1)
        queued, running = entry(), entry()
        backlog.put(queued)
        backlog.hand_over(running)
        backlog.begin(running)
        assert backlog.in_lane(running)
        backlog.end(running)
        backlog.end(running)
        assert not backlog.in_lane(running)
        assert backlog.withdraw(queued)
        assert not backlog.withdraw(queued)
        return backlog

    assert play(scene).wait_of_all() == 0


def test_an_entry_tried_again_goes_first():
    async def scene():
        backlog = backlog_of(1)
        first, again = entry(), entry()
        backlog.put(first)
        backlog.put_back(again)
        return await backlog.get() is again, await backlog.get() is first

    assert asyncio.run(scene()) == (True, True)


def test_an_answer_that_nobody_awaits_is_let_go(play):
    def scene():
        gone = entry()
        gone.outcome.cancel()
        gone.fail(ValueError("too late"))
        gone.succeed(None)
        return gone.outcome.cancelled()

    assert play(scene)
