"""Audio over the limit: clipped with its full duration told, or refused."""

import numpy as np
import pytest

from inference.audio import decode as audio
from inference.audio.decode import decode
from inference.errors import AudioTooLong
from inference.types import Options
from tests.samples import encode, noise, tone


@pytest.mark.parametrize(("container", "subtype"), [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS")])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_clip_keeps_the_beginning(container, subtype, rate):
    samples = np.concatenate([tone(2, rate), noise(1, rate)])
    decoded = decode(encode(samples, rate, container, subtype), Options(limit_seconds=2), 16_000)
    assert decoded.clipped
    assert decoded.duration == pytest.approx(3, abs=1e-3)
    assert decoded.waveform.samples.size == pytest.approx(32_000, abs=2)


def test_exactly_the_limit_is_whole():
    decoded = decode(encode(tone(2)), Options(limit_seconds=2), 16_000)
    assert not decoded.clipped


def test_one_sample_more_is_clipped():
    decoded = decode(encode(np.append(tone(2), 0.0)), Options(limit_seconds=2), 16_000)
    assert decoded.clipped
    assert decoded.waveform.samples.size == 32_000


def test_the_clipped_part_is_the_same_as_a_short_file():
    samples = noise(3)
    long = decode(encode(samples), Options(limit_seconds=2), 16_000)
    short = decode(encode(samples[:32_000]), Options(limit_seconds=2), 16_000)
    np.testing.assert_array_equal(long.waveform.samples, short.waveform.samples)


def test_reject_states_the_limit():
    with pytest.raises(AudioTooLong, match=r"longer than 2 s"):
        decode(encode(tone(2.1)), Options(overlength="reject", limit_seconds=2), 16_000)


def test_reject_takes_what_fits():
    assert not decode(encode(tone(2)), Options(overlength="reject", limit_seconds=2), 16_000).clipped


def test_a_compressed_bomb_is_not_decoded_to_its_end(monkeypatch):
    monkeypatch.setattr(audio, "_LONGEST_SECONDS", 36.0)
    bomb = encode(np.zeros(600 * 16_000), container="FLAC")
    assert len(bomb) < 200_000
    with pytest.raises(AudioTooLong, match="hours"):
        decode(bomb, Options(), 16_000)
