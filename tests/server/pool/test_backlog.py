"""The prediction of a wait, and permits that come back."""

import asyncio
import time

import pytest

from server.pool.backlog import Backlog, Job


@pytest.fixture
def play():
    """Run a scene inside an event loop, where jobs can be made."""

    def play(scene):
        async def inside():
            return scene()

        return asyncio.run(inside())

    return play


def job(seconds=10.0, client="client"):
    return Job(b"", client, seconds, deadline=time.monotonic() + 60)


def test_an_empty_backlog_keeps_nobody_waiting():
    assert Backlog(lanes=2).wait_of("anybody") == 0
    assert Backlog(lanes=2).wait_of_all() == 0


def test_a_free_lane_means_no_wait(play):
    def scene():
        backlog = Backlog(lanes=2)
        running = job()
        backlog.hand_over(running)
        backlog.begin(running)
        return backlog.wait_of("client")

    assert play(scene) == 0


def test_the_wait_is_work_by_speed_by_lanes(play):
    def scene():
        backlog = Backlog(lanes=2)
        backlog.observe(audio_seconds=100, compute_seconds=20)
        for _ in range(4):
            backlog.put(job())
        return backlog

    backlog = play(scene)
    assert backlog.real_time_factor == pytest.approx(0.2)
    assert backlog.wait_of("client") == pytest.approx(4 * 10 * 0.2 / 2)
    assert backlog.wait_of_all() == pytest.approx(4)


def test_running_work_counts_with_what_is_left_of_it(play):
    def scene():
        backlog = Backlog(lanes=1)
        backlog.observe(100, 100)
        running = job()
        backlog.hand_over(running)
        backlog.begin(running)
        running.started -= 4
        return backlog.wait_of("client")

    assert play(scene) == pytest.approx(6, abs=0.5)


def test_a_light_client_is_promised_less_than_a_flooder(play):
    def scene():
        backlog = Backlog(lanes=1)
        for _ in range(10):
            backlog.put(job(client="flooder"))
        return backlog

    backlog = play(scene)
    assert backlog.wait_of("other") < backlog.wait_of("flooder") / 5


def test_the_speed_follows_what_was_measured_last():
    backlog = Backlog(lanes=1)
    backlog.observe(1000, 100)
    for _ in range(100):
        backlog.observe(10, 5)
    assert backlog.real_time_factor == pytest.approx(0.5, abs=0.01)


def test_permits_come_back(play):
    def scene():
        backlog = Backlog(lanes=1)
        queued, running = job(), job()
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


def test_a_job_tried_again_goes_first():
    async def scene():
        backlog = Backlog(lanes=1)
        first, again = job(), job()
        backlog.put(first)
        backlog.put_back(again)
        return await backlog.get() is again, await backlog.get() is first

    assert asyncio.run(scene()) == (True, True)


def test_an_answer_that_nobody_awaits_is_let_go(play):
    def scene():
        gone = job()
        gone.outcome.cancel()
        gone.fail(ValueError("too late"))
        gone.succeed(None)
        return gone.outcome.cancelled()

    assert play(scene)
