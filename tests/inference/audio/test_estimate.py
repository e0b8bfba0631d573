"""The guess of a duration that admission is made by."""

import pytest

from inference.audio.decode import estimate_seconds
from tests.samples import encode, noise, sentence_of, tone, wav


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT"])
def test_wav_is_counted(rate, subtype):
    assert estimate_seconds(encode(tone(3, rate), rate, subtype=subtype)) == pytest.approx(3)


@pytest.mark.parametrize(("container", "subtype"), [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS")])
def test_compressed_audio_is_rather_overrated(container, subtype):
    assert estimate_seconds(encode(noise(10), 16_000, container, subtype)) >= 5


def test_a_header_is_not_believed():
    assert estimate_seconds(wav(size=0xFFFFFFFF)) == pytest.approx(0.5)


@pytest.mark.parametrize("data", [b"", b"RIFF", wav()[:30], wav(codec=0x11), wav()[:-100]])
def test_what_cannot_be_decoded_costs_nothing_or_little(data):
    assert estimate_seconds(data) < 1


def test_speech_of_ten_seconds():
    assert estimate_seconds(sentence_of(10)) == pytest.approx(10)
