"""The story as a whole: the right text, and a stop before any stage."""

import math
import socket
import subprocess
import sys
import time
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from inference import worker
from inference.errors import AudioTooLong, DeadlineExceeded, PackageError, UnavailableOption, WorkCancelled
from inference.features import Featurizer
from inference.handing import Handed, hand_over
from inference.loading import load
from inference.package import load_package
from inference.pipeline import Pipeline
from inference.recogniser import SessionOptions
from inference.task import Task
from inference.types import STAGES, AudioLimits, Features, Options, Waveform
from tests.samples import CLIPS, DATA, encode, noise, seconds_of, sentence_of, tone

LANE_STAGES = [stage for stage in STAGES if stage != "queue"]
NAME = "model"
ROOT = DATA.parents[1]
NAMASTE = next(path for path in CLIPS if path.stem == "namaste").read_bytes()


@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.stem)
def test_sample_clips(pipeline, spoken_texts, path):
    assert pipeline.transcribe(path.read_bytes()).text == spoken_texts[path]


def test_what_comes_with_the_text(pipeline):
    transcript = pipeline.transcribe(NAMASTE)
    assert transcript.language == "hi"
    assert transcript.duration == pytest.approx(seconds_of(DATA / "namaste.wav"))
    assert not transcript.clipped
    assert transcript.heard == transcript.duration
    assert [time.stage for time in transcript.stages] == LANE_STAGES
    assert [time.began for time in transcript.stages] == sorted(time.began for time in transcript.stages)
    assert transcript.lane_seconds == sum(time.seconds for time in transcript.stages)
    (segment,) = transcript.segments
    assert (segment.text, segment.start, segment.end) == (transcript.text, 0, transcript.duration)


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
    transcript = pipeline.transcribe(sentence_of(seconds), AudioLimits("clip", limit_seconds=30))
    assert transcript.duration == pytest.approx(seconds)


def test_clip_and_reject(pipeline):
    assert pipeline.transcribe(sentence_of(3), AudioLimits("clip", limit_seconds=2)).clipped
    with pytest.raises(AudioTooLong):
        pipeline.transcribe(sentence_of(3), AudioLimits(overlength="reject", limit_seconds=2))


@pytest.mark.parametrize("allowed", range(len(LANE_STAGES)))
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


def test_checkpoints_stand_before_every_stage_and_inside_decoding(pipeline):
    calls = []
    pipeline.transcribe(sentence_of(6), checkpoint=lambda: calls.append(time.monotonic()))
    assert len(calls) >= len(LANE_STAGES) + 6


def test_a_file_may_be_given_by_its_name(pipeline):
    by_bytes = pipeline.transcribe(NAMASTE)
    for name in (DATA / "namaste.wav", str(DATA / "namaste.wav")):
        assert pipeline.transcribe(name).text == by_bytes.text


def test_samples_are_recognised_as_their_file_is(pipeline):
    samples, rate = soundfile.read(DATA / "namaste.wav", dtype="float32")
    transcript = pipeline.recognise(Waveform(samples, rate))
    assert transcript.text == pipeline.transcribe(NAMASTE).text
    assert [time.stage for time in transcript.stages] == LANE_STAGES[1:]


def test_decoding_is_a_wish(pipeline, model_directory):
    if not load_package(model_directory).language_model:
        pytest.skip("this package has no language model")
    greedy = load(load_package(model_directory).greedy(), precision=pipeline.precision)
    clip = sentence_of(9, seed=3)
    assert pipeline.transcribe(clip, options=Options(decoding="greedy")).text == greedy.transcribe(clip).text
    assert pipeline.transcribe(clip, options=Options(decoding="beam")).text == pipeline.transcribe(clip).text
    with pytest.raises(UnavailableOption, match="no language model"):
        greedy.transcribe(clip, options=Options(decoding="beam"))


def test_the_library_in_two_lines(library_texts):
    program = "from inference import load; print(load('models/hi-demo').transcribe('tests/data/namaste.wav').text)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == library_texts[DATA / "namaste.wav"]


@pytest.fixture
def channel():
    """How files come to a pool process: the worker's end, and its own."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def process(monkeypatch, pipeline, model_directory, tmp_path, channel):
    """The state of a pool process, in this one."""
    packages = {NAME: load_package(model_directory)}
    setup = worker.Setup(packages, 1, "fp32", SessionOptions(), AudioLimits(), tmp_path, parent=0)
    monkeypatch.setattr(worker._Process, "pipelines", OrderedDict({NAME: pipeline}), raising=False)
    monkeypatch.setattr(worker._Process, "setup", setup, raising=False)
    monkeypatch.setattr(worker._Process, "control", worker.Control(), raising=False)
    monkeypatch.setattr(worker._Process, "handed", Handed(channel[1]), raising=False)
    monkeypatch.setattr(worker._Process, "unguarded", (), raising=False)  # and not to be confined
    return worker._Process


def task(audio=NAMASTE, deadline=math.inf):
    kind = "recognise" if isinstance(audio, Features) else "transcribe"
    return Task(kind, NAME, audio, Options(), deadline)


@pytest.mark.usefixtures("process")
def test_a_pool_process_runs_a_task(pipeline):
    before = time.monotonic()
    transcript = worker.run(1, task())
    assert transcript.text == pipeline.transcribe(NAMASTE).text
    assert before <= transcript.stages[0].began <= time.monotonic() - transcript.lane_seconds


@pytest.mark.usefixtures("process")
def test_a_pool_process_takes_features_and_files_too(pipeline, tmp_path, channel):
    samples, _ = soundfile.read(DATA / "namaste.wav", dtype="float32")
    featurizer = Featurizer(pipeline.package.features)
    raw = featurizer.features(samples)
    text = pipeline.transcribe(NAMASTE).text
    assert worker.run(1, task(Features(featurizer.finished(raw.log_mel), raw.power))).text == text
    hand_over(channel[0], 2, DATA / "namaste.wav")
    assert worker.run(2, task(DATA / "namaste.wav")).text == text
    with pytest.raises(FileNotFoundError):
        hand_over(channel[0], 3, tmp_path / "closed")
    with pytest.raises(WorkCancelled, match="gone"):
        worker.run(3, task(tmp_path / "closed"))


def _descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_files_of_tasks_that_never_began_are_closed(channel, tmp_path):
    for number in (1, 2, 4, 5):
        path = tmp_path / str(number)
        path.write_bytes(b"sound" * (number != 4))
        hand_over(channel[0], number, path)
    handed = Handed(channel[1])
    before = _descriptors()
    with handed.take(2) as mapped:
        assert mapped[:] == b"sound"
    assert (handed.take(3), handed.take(4)) == (None, b"")
    assert _descriptors() == before + 1  # the fifth has time
    handed.take(6)
    assert _descriptors() == before


@pytest.mark.usefixtures("process")
def test_a_task_past_its_deadline_is_not_begun():
    with pytest.raises(DeadlineExceeded):
        worker.run(1, task(b"never decoded", time.monotonic() - 1))


def test_an_abandoned_task_is_not_begun(process):
    process.control.abandon(7)
    with pytest.raises(WorkCancelled):
        worker.run(7, task(b"never decoded"))
    assert worker.run(8, task()).duration > 0


@pytest.mark.usefixtures("process")
def test_a_canary_tells_the_speed():
    ready = worker.load_model(NAME)
    assert ready.loaded == (NAME,)
    assert ready.canary_seconds > 0
    assert ready.compute_seconds > 0


def test_a_canary_does_not_depend_on_the_limit(process, monkeypatch):
    limits = AudioLimits(overlength="reject", limit_seconds=0.5)
    monkeypatch.setattr(process, "setup", replace(process.setup, limits=limits))
    assert worker.load_model(NAME).compute_seconds > 0


def test_the_model_used_longest_ago_makes_room(process, monkeypatch):
    packages = dict.fromkeys(("one", "two", "three"), process.setup.packages[NAME])
    monkeypatch.setattr(process, "setup", replace(process.setup, packages=packages, models_loaded=2))
    monkeypatch.setattr(process, "pipelines", OrderedDict())
    worker.load_model("one")
    worker.load_model("two")
    worker.run(1, replace(task(), model="one"))
    assert worker.load_model("three").loaded == ("one", "three")


def test_a_model_that_cannot_be_loaded_costs_the_others_nothing(process, monkeypatch, tmp_path):
    good = process.setup.packages[NAME]
    packages = {NAME: good, "broken": replace(good, directory=tmp_path / "nothing")}
    monkeypatch.setattr(process, "setup", replace(process.setup, packages=packages))
    with pytest.raises(PackageError):
        worker.load_model("broken")
    assert worker.run(1, task()).text
