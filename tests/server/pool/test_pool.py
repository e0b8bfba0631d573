"""The pool with a real lane whose surroundings fail."""

import asyncio
import os
import time

import pytest
import soundfile

from inference.errors import DeadlineExceeded
from inference.features import Featurizer
from inference.package import load_package
from inference.recogniser import SessionOptions
from inference.task import Task
from inference.types import AudioLimits, Features, Options
from inference.worker import Setup
from server import metrics
from server.errors import Overloaded, ShuttingDown
from server.pool.driver import Patience
from server.pool.limits import Limits
from server.pool.pool import Pool
from server.pool.process_lane import ProcessLane
from server.principal import Principal
from tests.samples import CLIPS

MODEL = "model"
CLIP = CLIPS[0].read_bytes()
SOMEBODY = Principal("somebody", "somebody")


class Stumbling(ProcessLane):
    """A lane that raises what nobody foresaw, at its first call."""

    calls = 0

    def call(self, task):
        self.calls += 1
        if self.calls == 1:
            raise RuntimeError("a bug")
        return super().call(task)


@pytest.fixture
def setup(model_directory, tmp_path):
    packages = {MODEL: load_package(model_directory)}
    return Setup(packages, 1, "fp32", SessionOptions(threads=1), AudioLimits(), tmp_path, os.getpid())


def task(audio=CLIP, seconds=100.0, kind="transcribe"):
    return Task(kind, MODEL, audio, Options(), time.monotonic() + seconds)


def pool_of(*lanes, **limits):
    allowed = Limits(**{"max_queue_seconds": 1000.0, "request_timeout": 100.0, **limits})
    return Pool(lanes, MODEL, allowed, Patience(hang_seconds=60, memory_megabytes=1e6))


def play(pool, scene):
    async def inside():
        await pool.start()
        try:
            async with asyncio.timeout(120):
                while not pool.ready:  # noqa: ASYNC110 - what is awaited sends no events
                    await asyncio.sleep(0.01)
                return await scene()
        finally:
            await pool.close()

    return asyncio.run(inside())


def restarts(cause):
    return metrics.LANE_RESTARTS.labels(cause)._value.get()


def test_a_driver_that_raises_is_started_again_and_its_entry_answered(setup, pipeline):
    before = restarts("driver_failed")
    pool = pool_of(Stumbling(setup))
    transcript = play(pool, lambda: pool.run(task(), SOMEBODY, 0.1))
    assert transcript.text == pipeline.transcribe(CLIP).text
    assert restarts("driver_failed") == before + 1


def test_features_take_the_same_way(setup, pipeline):
    samples, _ = soundfile.read(CLIPS[0], dtype="float32")
    featurizer, pool = Featurizer(pipeline.package.features), pool_of(ProcessLane(setup))
    raw = featurizer.features(samples)
    features = Features(featurizer.finished(raw.log_mel), raw.power)
    transcript = play(pool, lambda: pool.run(task(features, kind="recognise"), SOMEBODY, 0.1))
    assert [time.stage for time in transcript.stages] == ["queue", "inference", "decoding"]
    assert transcript.text == pipeline.transcribe(CLIP).text


def test_a_pool_that_closes_answers_whoever_waits(setup):
    async def scene():
        waiting = [asyncio.ensure_future(pool.run(task(seconds=1e6), SOMEBODY, 1000.0)) for _ in range(8)]
        await asyncio.sleep(0)
        await pool.close()
        return await asyncio.gather(*waiting, return_exceptions=True)

    pool = pool_of(ProcessLane(setup), max_queue_seconds=1e9, request_timeout=1e9)
    outcomes = play(pool, scene)
    assert all(isinstance(outcome, ShuttingDown) or outcome.text for outcome in outcomes)
    assert any(isinstance(outcome, ShuttingDown) for outcome in outcomes)


def test_a_refusal_names_the_wait_that_made_it(setup):
    async def refusals():
        running = [asyncio.ensure_future(pool.run(task(seconds=1000), SOMEBODY, 60.0)) for _ in range(2)]
        while pool._backlog.wait_of_all() < 110:  # noqa: ASYNC110 - what is awaited sends no events
            await asyncio.sleep(0)
        said = []
        for patience, cost in ((1000.0, 0.0), (50.0, 0.0)):
            with pytest.raises(Overloaded) as caught:
                pool.refuse_overload(SOMEBODY, patience, cost)
            said.append(str(caught.value))
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        return said

    pool = pool_of(ProcessLane(setup), max_queue_seconds=100.0, request_timeout=1e9)
    overloaded, deadline = play(pool, refusals)
    assert "of work stand before this request" in overloaded
    assert "its deadline is 50 s away" in deadline


def test_parts_of_a_request_are_neither_refused_nor_counted(setup, pipeline):
    missed = metrics.DEADLINES_MISSED.labels("queue")._value.get()

    async def scene():
        pool.admit(SOMEBODY, 100.0)
        parts = [asyncio.ensure_future(pool.run_part(task(), SOMEBODY, 50.0)) for _ in range(3)]
        while pool._backlog.wait_of(SOMEBODY.id) < 10:  # noqa: ASYNC110 - what is awaited sends no events
            await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await pool.run(task(), SOMEBODY, 1.0)
        with pytest.raises(DeadlineExceeded):
            await pool.run_part(task(seconds=0.0), SOMEBODY, 1.0)
        return await asyncio.gather(*parts)

    pool = pool_of(ProcessLane(setup), max_queue_seconds=10.0)
    texts = {transcript.text for transcript in play(pool, scene)}
    assert texts == {pipeline.transcribe(CLIP).text}
    assert metrics.DEADLINES_MISSED.labels("queue")._value.get() == missed
