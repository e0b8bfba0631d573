"""Audio over the limit: clipped with its full duration given, or refused."""

import struct

import numpy as np
import pytest
import soundfile

from inference.audio.decode import decode
from inference.errors import AudioTooCostly, AudioTooLong, LongerThanWindow, UndecodableAudio, WorkCancelled
from inference.types import AudioLimits
from tests.samples import encode, noise, tone


@pytest.mark.parametrize(("container", "subtype"), [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS")])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_clip_keeps_the_beginning(container, subtype, rate):
    samples = np.concatenate([tone(2, rate), noise(1, rate)])
    decoded = decode(encode(samples, rate, container, subtype), AudioLimits("clip", limit_seconds=2), 16_000)
    assert decoded.clipped
    assert decoded.duration == pytest.approx(3, abs=1e-3)
    assert decoded.waveform.samples.size == pytest.approx(32_000, abs=2)


def test_exactly_the_limit_is_whole():
    decoded = decode(encode(tone(2)), AudioLimits("clip", limit_seconds=2), 16_000)
    assert not decoded.clipped


def test_one_sample_more_is_clipped():
    decoded = decode(encode(np.append(tone(2), 0.0)), AudioLimits("clip", limit_seconds=2), 16_000)
    assert decoded.clipped
    assert decoded.waveform.samples.size == 32_000


def test_the_clipped_part_is_the_same_as_a_short_file():
    samples = noise(3)
    long = decode(encode(samples), AudioLimits("clip", limit_seconds=2), 16_000)
    short = decode(encode(samples[:32_000]), AudioLimits("clip", limit_seconds=2), 16_000)
    np.testing.assert_array_equal(long.waveform.samples, short.waveform.samples)


def test_reject_states_the_limit():
    with pytest.raises(AudioTooLong, match=r"longer than 2 s"):
        decode(encode(tone(2.1)), AudioLimits(overlength="reject", limit_seconds=2), 16_000)


def test_what_is_more_than_a_window_is_a_recording():
    limits = AudioLimits(window_seconds=2)
    assert decode(encode(tone(2)), limits, 16_000).duration == 2
    with pytest.raises(LongerThanWindow, match=r"longer than 2 s"):
        decode(encode(np.append(tone(2), 0.0)), limits, 16_000)


def test_reject_takes_what_fits():
    assert not decode(encode(tone(2)), AudioLimits(overlength="reject", limit_seconds=2), 16_000).clipped


class Counted(soundfile.SoundFile):
    """Counts the frames that are decoded."""

    frames_read = 0

    def read(self, frames=-1, **options):
        block = super().read(frames, **options)
        Counted.frames_read += len(block)
        return block


@pytest.mark.parametrize("overlength", ["clip", "reject"])
def test_a_compressed_bomb_is_decoded_to_the_limit_and_no_further(monkeypatch, overlength):
    monkeypatch.setattr(soundfile, "SoundFile", Counted)
    Counted.frames_read = 0
    bomb = encode(np.zeros(1200 * 16_000), container="FLAC")
    limits = AudioLimits(overlength=overlength, limit_seconds=5)
    if overlength == "reject":
        with pytest.raises(AudioTooLong):
            decode(bomb, limits, 16_000)
    else:
        decoded = decode(bomb, limits, 16_000)
        assert (decoded.duration, decoded.clipped) == (1200, True)
    assert Counted.frames_read <= 7 * 16_000


def test_what_takes_too_long_to_decode_is_refused_by_its_own_name():
    with pytest.raises(AudioTooCostly, match="processor time"):
        decode(encode(noise(10), container="FLAC"), AudioLimits(decode_seconds=0.0), 16_000)


def test_decoding_stops_between_two_blocks_where_nobody_waits():
    calls = []

    def checkpoint():
        calls.append(None)
        if len(calls) > 3:
            raise WorkCancelled("gone")

    with pytest.raises(WorkCancelled):
        decode(encode(noise(10)), AudioLimits(), 16_000, checkpoint)


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">I4s", 8, b"ftyp") + struct.pack(">I4s", 8, b"free") * 500_000,
        bytes.fromhex("1a45dfa38018538067") + b"\x01" + b"\xff" * 7 + b"\xec\x80" * 500_000,
    ],
    ids=["mp4", "webm"],
)
def test_a_walk_over_a_million_boxes_can_be_stopped(data):
    calls = []

    def checkpoint():
        calls.append(None)
        if len(calls) > 20:
            raise WorkCancelled("gone")

    with pytest.raises((WorkCancelled, UndecodableAudio)):
        decode(data, AudioLimits(), 16_000, checkpoint)
    assert len(calls) > 20
