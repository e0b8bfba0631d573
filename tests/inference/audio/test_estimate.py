"""The guess of a duration that admission is made by."""

import pytest

from inference.audio.pieces import estimate_seconds
from tests.inference.audio.encoders import ffmpeg
from tests.samples import encode, noise, sentence_of, tone, wav


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT"])
def test_wav_is_counted(rate, subtype):
    assert estimate_seconds(encode(tone(3, rate), rate, subtype=subtype)) == pytest.approx(3)


@pytest.mark.parametrize(("container", "subtype"), [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS")])
@pytest.mark.parametrize("rate", [8_000, 48_000])
def test_compressed_audio_is_asked(container, subtype, rate):
    assert estimate_seconds(encode(noise(10, rate), rate, container, subtype)) == pytest.approx(10, abs=0.05)


def test_a_file_is_asked_as_its_bytes_are(tmp_path):
    path = tmp_path / "clip"
    path.write_bytes(encode(noise(10), container="FLAC"))
    assert estimate_seconds(path) == pytest.approx(10)
    assert estimate_seconds(tmp_path / "missing") == 0


def test_what_does_not_tell_is_rather_overrated():
    assert estimate_seconds(ffmpeg(noise(10), "w64", "pcm_s16le")) > 10
    assert estimate_seconds(ffmpeg(noise(10, 8_000), "amr", "libopencore_amrnb", 8_000)) > 3


def test_a_header_is_not_believed():
    assert estimate_seconds(wav(size=0xFFFFFFFF)) == pytest.approx(0.5)


@pytest.mark.parametrize("data", [b"", b"RIFF", wav()[:30], wav(codec=0x11), wav()[:-100]])
def test_what_cannot_be_decoded_costs_nothing_or_little(data):
    assert estimate_seconds(data) < 1


def test_speech_of_ten_seconds():
    assert estimate_seconds(sentence_of(10)) == pytest.approx(10)
