"""The story as a whole: the right text, and a stop before any stage."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest

from inference import worker
from inference.errors import AudioTooLong, DeadlineExceeded, WorkCancelled
from inference.package import load_package
from inference.pipeline import Pipeline
from inference.recogniser import SessionOptions
from inference.types import Options
from tests.samples import CLIPS, DATA, encode, noise, seconds_of, sentence_of, tone

STAGES = ["decode", "features", "inference", "decoding"]
NAMASTE = next(path for path in CLIPS if path.stem == "namaste").read_bytes()


@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.stem)
def test_sample_clips(pipeline, spoken_texts, path):
    assert pipeline.transcribe(path.read_bytes()).text == spoken_texts[path]


def test_what_comes_with_the_text(pipeline):
    transcript = pipeline.transcribe(NAMASTE)
    assert transcript.language == "hi"
    assert transcript.duration == pytest.approx(seconds_of(DATA / "namaste.wav"))
    assert not transcript.clipped
    assert transcript.timings.total == sum(getattr(transcript.timings, stage) for stage in STAGES)


def test_the_same_bytes_give_the_same_text(pipeline):
    first = pipeline.transcribe(NAMASTE).text
    pipeline.transcribe(sentence_of(9))
    assert pipeline.transcribe(NAMASTE).text == first


def test_threads_do_not_change_the_text(model_directory, library_texts):
    two = Pipeline(load_package(model_directory), SessionOptions(threads=2))
    assert {path: two.transcribe(path.read_bytes()).text for path in CLIPS} == library_texts


@pytest.mark.parametrize("samples", [np.zeros(32_000), noise(2), tone(2)], ids=["silence", "noise", "tone"])
def test_no_speech_is_no_error_and_no_other_clips_text(pipeline, samples):
    fresh = pipeline.transcribe(encode(samples)).text
    pipeline.transcribe(NAMASTE)
    assert pipeline.transcribe(encode(samples)).text == fresh


@pytest.mark.parametrize("seconds", [0.1, 0.11, 0.2, 0.5, 1.0, 29.9])
def test_every_length_passes(pipeline, seconds):
    transcript = pipeline.transcribe(sentence_of(seconds), Options(limit_seconds=30))
    assert transcript.duration == pytest.approx(seconds)


def test_clip_and_reject(pipeline):
    assert pipeline.transcribe(sentence_of(3), Options(limit_seconds=2)).clipped
    with pytest.raises(AudioTooLong):
        pipeline.transcribe(sentence_of(3), Options(overlength="reject", limit_seconds=2))


@pytest.mark.parametrize("allowed", range(len(STAGES)))
def test_a_checkpoint_stands_before_every_stage(pipeline, allowed):
    calls = 0

    def checkpoint():
        nonlocal calls
        calls += 1
        if calls > allowed:
            raise WorkCancelled("enough")

    with pytest.raises(WorkCancelled):
        pipeline.transcribe(NAMASTE, checkpoint=checkpoint)
    assert calls == allowed + 1


def test_four_checkpoints_in_all(pipeline):
    calls = []
    pipeline.transcribe(NAMASTE, checkpoint=lambda: calls.append(time.monotonic()))
    assert len(calls) == len(STAGES)


@pytest.fixture
def process(monkeypatch, pipeline, model_directory, tmp_path):
    """The state of a pool process, in this one."""
    setup = worker.Setup(load_package(model_directory), "fp32", SessionOptions(), Options(), tmp_path, parent=0)
    monkeypatch.setattr(worker._Process, "pipeline", pipeline, raising=False)
    monkeypatch.setattr(worker._Process, "setup", setup, raising=False)
    monkeypatch.setattr(worker._Process, "control", worker.Control(), raising=False)
    return worker._Process


@pytest.mark.usefixtures("process")
def test_a_pool_process_runs_a_task(pipeline):
    before = time.monotonic()
    answer = worker.run(worker.Task(1, NAMASTE, math.inf))
    assert answer.transcript.text == pipeline.transcribe(NAMASTE).text
    assert before <= answer.began <= time.monotonic() - answer.transcript.timings.total


@pytest.mark.usefixtures("process")
def test_a_task_past_its_deadline_is_not_begun():
    with pytest.raises(DeadlineExceeded):
        worker.run(worker.Task(1, b"never decoded", time.monotonic() - 1))


def test_an_abandoned_task_is_not_begun(process):
    process.control.abandon(7)
    with pytest.raises(WorkCancelled):
        worker.run(worker.Task(7, b"never decoded", math.inf))
    assert worker.run(worker.Task(8, NAMASTE, math.inf)).transcript.duration > 0


@pytest.mark.usefixtures("process")
def test_warming_up_tells_the_speed():
    ready = worker.warm_up()
    assert ready.canary_seconds > 0
    assert ready.compute_seconds > 0


def test_warming_up_does_not_depend_on_the_limit(process, monkeypatch):
    options = Options(overlength="reject", limit_seconds=0.5)
    monkeypatch.setattr(process, "setup", replace(process.setup, options=options))
    assert worker.warm_up().compute_seconds > 0
