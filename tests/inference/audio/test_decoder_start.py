"""Decoders started before there is a recording: they decode as others do, and leave nothing behind."""

import numpy as np
import pytest

from inference.audio.decoder_start import SpareDecoder, StartedDecoder
from inference.errors import DecoderDied, UndecodableAudio
from tests.inference.audio.encoders import ffmpeg
from tests.inference.audio.test_decoder_process import LONG, run, until_asleep
from tests.samples import noise


@pytest.fixture
def spare():
    spare = SpareDecoder()
    yield spare
    spare.close()


def test_one_that_waited_decodes_as_one_that_did_not(spare):
    windows, first = run(LONG, start=spare.take)
    spare.prepare()
    waiting = spare._waiting.process.pid
    spare.prepare()
    assert spare._waiting.process.pid == waiting != first.pid
    until_asleep(waiting)
    again, second = run(LONG, start=spare.take)
    assert second.pid == waiting
    for ours, theirs in zip(again, windows, strict=True):
        np.testing.assert_array_equal(ours.features.log_mel, theirs.features.log_mel)
    assert (second.end, second.unguarded) == (first.end, first.unguarded)


@pytest.mark.parametrize("kind", ["m4a, which PyAV decodes", "junk"])
def test_one_that_waited_takes_whatever_comes(spare, kind):
    audio = b"junk" if kind == "junk" else ffmpeg(noise(40), "mp4", "aac")
    spare.prepare()
    until_asleep(spare._waiting.process.pid)
    if kind == "junk":
        with pytest.raises(UndecodableAudio):
            run(audio, start=spare.take)
    else:
        assert len(run(audio, start=spare.take)[0]) > 2


def test_one_that_died_while_it_waited_is_replaced(spare):
    spare.prepare()
    waiting = spare._waiting.process
    waiting.kill()
    waiting.wait()
    _, process = run(LONG, start=spare.take)
    assert process.pid != waiting.pid


def test_one_that_dies_as_it_is_given_its_recording():
    started = StartedDecoder()
    started.process.kill()
    started.process.wait()
    with pytest.raises(DecoderDied, match="SIGKILL"):
        run(LONG, start=lambda: started)


def test_one_that_waits_ends_with_its_parents_end_of_the_channel():
    started = StartedDecoder()
    started._channel.close()
    assert started.process.wait(10) == 0
