"""Processes of the command line: what they make of files, what becomes of a file whose process dies."""

import os

import numpy as np
import pytest
import soundfile

from inference.cli.sources import Source
from inference.cli.workers import Here, Setup, Several
from inference.loading import CACHE
from inference.package import load_package
from inference.types import AudioLimits, Options
from tests.samples import CLIPS, encode


@pytest.fixture
def setup(model_directory):
    return Setup(load_package(model_directory), "auto", CACHE, 1, AudioLimits(), Options())


def test_one_that_died_idle_costs_one_file(setup):
    workers = Several(setup, 2)
    workers._idle[-1]._process.kill()
    workers._idle[-1]._process.join()
    found = [
        outcome for *_, outcome in workers.outcomes([(n, Source(str(p), p, p)) for n, p in enumerate(CLIPS)], print)
    ]
    workers.close()
    assert [each for each in found if isinstance(each, str)] == [
        "the process that transcribed it was killed by SIGKILL"
    ]
    assert len(found) == len(CLIPS)


def test_a_process_that_dies_costs_one_file(setup, tmp_path, library_texts):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # whoever opens it waits
    paths = [pipe, *CLIPS]
    workers = Several(setup, 2)
    outcomes = {}
    for place, _, outcome in workers.outcomes([(n, Source(str(p), p, p)) for n, p in enumerate(paths)], print):
        outcomes[place] = outcome
        if len(outcomes) == 1:
            (stuck,) = (process for process, at, _ in workers._busy.values() if at == 0)
            stuck._process.kill()
    workers.close()
    assert outcomes.pop(0) == "the process that transcribed it was killed by SIGKILL"
    assert [outcomes[place].text for place in sorted(outcomes)] == [library_texts[path] for path in CLIPS]


def test_a_recording_is_heard_whole_and_its_progress_told(setup, tmp_path, library_texts):
    speech = np.concatenate([np.append(soundfile.read(path)[0], np.zeros(16_000)) for path in CLIPS * 2])
    long = tmp_path / "long.wav"
    long.write_bytes(encode(speech))
    heard = []
    sources = [(0, Source("long", long, long))]
    for workers in (Here(setup), Several(setup, 2)):
        ((_, _, transcript),) = workers.outcomes(sources, lambda name, seconds: heard.append((name, seconds)))
        workers.close()
        assert transcript.text == " ".join(library_texts[path] for path in CLIPS * 2)
        assert heard == sorted(heard)
        assert len(heard) >= 2
        assert heard[-1] == ("long", pytest.approx(speech.size / 16_000, abs=1.5))
        heard.clear()
