"""Every container, sample format, rate and channel count that is taken."""

import numpy as np
import pytest

from inference.audio.decode import decode
from inference.types import AudioLimits
from tests.samples import encode, noise, tone, wav

LOSSLESS = [
    ("WAV", "PCM_U8", 2**-6),
    ("WAV", "PCM_16", 2**-14),
    ("WAV", "PCM_24", 2**-22),
    ("WAV", "PCM_32", 2**-22),
    ("WAV", "FLOAT", 2**-23),
    ("WAV", "DOUBLE", 2**-23),
    ("WAVEX", "PCM_16", 2**-14),
    ("WAVEX", "PCM_24", 2**-22),
    ("WAVEX", "FLOAT", 2**-23),
    ("FLAC", "PCM_S8", 2**-6),
    ("FLAC", "PCM_16", 2**-14),
    ("FLAC", "PCM_24", 2**-22),
]


@pytest.mark.parametrize(("container", "subtype", "tolerance"), LOSSLESS)
def test_lossless_formats_keep_the_samples(container, subtype, tolerance):
    samples = tone() + noise() / 10
    decoded = decode(encode(samples, container=container, subtype=subtype), AudioLimits(), 16_000)
    assert decoded.waveform.samples.dtype == np.float32
    assert decoded.waveform.sample_rate == 16_000
    np.testing.assert_allclose(decoded.waveform.samples, samples, atol=tolerance)
    assert decoded.duration == 0.5
    assert not decoded.clipped


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_lossy_formats_keep_the_sound(subtype, rate):
    decoded = decode(encode(tone(1, rate), rate, "OGG", subtype), AudioLimits(), 16_000)
    assert decoded.duration == pytest.approx(1, abs=0.03)
    assert _loudest_hertz(decoded.waveform) == pytest.approx(1000, abs=5)
    assert np.abs(decoded.waveform.samples[4000:12000]).max() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    "rate", [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000]
)
@pytest.mark.parametrize("resampler", ["soxr", "resampy"])
def test_any_sample_rate_becomes_the_models(rate, resampler):
    decoded = decode(encode(tone(1, rate), rate), AudioLimits(resampler=resampler), 16_000)
    assert decoded.waveform.samples.size == pytest.approx(16_000, abs=2)
    assert decoded.waveform.samples.flags.c_contiguous
    assert decoded.duration == pytest.approx(1)
    assert not decoded.clipped
    assert _loudest_hertz(decoded.waveform) == pytest.approx(1000, abs=2)


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_soxr_and_resampy_agree(rate):
    speech_band = sum(tone(1, rate, hertz) for hertz in (150, 700, 1900, 3100)) / 4
    data = encode(speech_band, rate, subtype="FLOAT")
    soxr, resampy = (decode(data, AudioLimits(resampler=name), 16_000).waveform.samples for name in ("soxr", "resampy"))
    middle = slice(800, 15_000)  # the filters differ in how they end
    np.testing.assert_allclose(soxr[middle], resampy[middle], atol=2e-3)


def test_resampling_does_not_fold_high_tones_into_speech():
    ultrasonic = encode(tone(1, 48_000, hertz=12_000), 48_000)
    assert np.abs(decode(ultrasonic, AudioLimits(), 16_000).waveform.samples[1600:-1600]).max() < 1e-3


@pytest.mark.parametrize("channels", range(1, 9))
@pytest.mark.parametrize("container", ["WAV", "WAVEX", "FLAC"])
def test_channels_are_mixed_down(channels, container):
    samples = np.stack([tone(hertz=200 * (1 + index)) for index in range(channels)], axis=1)
    decoded = decode(encode(samples, container=container), AudioLimits(), 16_000)
    np.testing.assert_allclose(decoded.waveform.samples, samples.mean(axis=1), atol=2**-14)
    assert decoded.duration == 0.5


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0x80000000])
def test_sizes_of_streamed_wav_files_are_forgiven(size):
    decoded = decode(wav(size=size), AudioLimits(), 16_000)
    assert decoded.duration == 0.5
    np.testing.assert_allclose(decoded.waveform.samples, tone(), atol=2**-14)


def test_other_chunks_are_passed_over():
    plain = wav()
    with_list = plain[:36] + b"LIST" + (5).to_bytes(4, "little") + b"INFO!\0" + plain[36:]
    assert decode(with_list, AudioLimits(), 16_000).duration == 0.5


def test_silence_is_audio():
    decoded = decode(encode(np.zeros(16_000)), AudioLimits(), 16_000)
    assert not decoded.waveform.samples.any()


def test_exactly_a_tenth_of_a_second_is_enough():
    assert decode(encode(tone(0.1)), AudioLimits(), 16_000).waveform.samples.size == 1600


def _loudest_hertz(waveform):
    spectrum = np.abs(np.fft.rfft(waveform.samples * np.hanning(waveform.samples.size)))
    return spectrum.argmax() * waveform.sample_rate / waveform.samples.size
