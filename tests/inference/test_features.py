"""Features against a slow reference: NeMo's definition written down plainly, in float64.

Equality with NeMo itself is tested in tests/parity.
"""

import numpy as np
import pytest

from inference.features import FeatureParameters, Featurizer, mel_filterbank
from inference.types import Waveform
from tests.samples import noise, tone

SECONDS = [0.1, 0.1001, 0.25, 1.0, 3.3337, 30.0]
# Beside a strong tone, what remains in the other bins is rounding noise of float32, in NeMo as here: more tolerance.
SIGNALS = {
    "noise": (noise, 5e-4),
    "quiet noise": (lambda seconds: noise(seconds) * 1e-3, 5e-4),
    "half silence": (lambda seconds: noise(seconds) * (np.arange(round(seconds * 16_000)) > seconds * 8_000), 5e-4),
    "tone": (tone, 5e-3),
    "tone in noise": (lambda seconds: tone(seconds) + noise(seconds) * 1e-2, 5e-3),
}


@pytest.mark.parametrize("semantics", ["nemo-1", "nemo-2.5"])
@pytest.mark.parametrize("seconds", SECONDS)
@pytest.mark.parametrize(("signal", "tolerance"), SIGNALS.values(), ids=SIGNALS)
def test_equal_to_the_reference(signal, tolerance, seconds, semantics):
    samples = signal(seconds).astype(np.float32)
    features = Featurizer(FeatureParameters(semantics=semantics))(Waveform(samples, 16_000))
    expected = reference(samples.astype(np.float64), semantics)
    assert features.shape == expected.shape
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, expected, atol=tolerance)


@pytest.mark.parametrize(("semantics", "extra"), [("nemo-1", 1), ("nemo-2.5", 0)])
@pytest.mark.parametrize("samples", [1600, 1601, 1759, 1760, 16_000])
def test_number_of_frames(samples, semantics, extra):
    waveform = Waveform(np.zeros(samples, np.float32), 16_000)
    assert Featurizer(FeatureParameters(semantics=semantics))(waveform).shape == (80, samples // 160 + extra)


@pytest.mark.parametrize("value", [0.0, 0.5, -1.0])
def test_constant_samples_stay_finite(value):
    features = Featurizer(FeatureParameters())(Waveform(np.full(16_000, value, np.float32), 16_000))
    assert np.isfinite(features).all()


def test_the_waveform_is_left_as_it_was():
    samples = noise(1).astype(np.float32)
    before = samples.copy()
    Featurizer(FeatureParameters())(Waveform(samples, 16_000))
    np.testing.assert_array_equal(samples, before)


def test_every_filter_has_unit_area():
    filterbank = mel_filterbank(16_000, 512, 80)
    assert filterbank.shape == (80, 257)
    # Narrow triangles fall between few bins of the transform, so only the wide ones add up well.
    np.testing.assert_allclose(filterbank[40:].sum(axis=1) * 16_000 / 512, 1, atol=0.05)


def reference(samples, semantics):
    """`[80, frames]`: torch.stft, Slaney's mel filters and per-feature normalisation, one frame at a time."""
    emphasised = np.append(samples[0], samples[1:] - 0.97 * samples[:-1])
    padded = np.pad(emphasised, 256, mode="reflect" if semantics == "nemo-1" else "constant")
    window = np.zeros(512)
    window[56:456] = [0.5 - 0.5 * np.cos(2 * np.pi * index / 399) for index in range(400)]
    frames = len(samples) // 160 + (1 if semantics == "nemo-1" else 0)
    filters = slaney_filters()
    log_mel = np.empty((80, frames))
    for frame in range(frames):
        power = np.abs(np.fft.fft(padded[frame * 160 : frame * 160 + 512] * window)[:257]) ** 2
        log_mel[:, frame] = np.log(filters @ power + 2.0**-24)
    mean = log_mel.mean(axis=1, keepdims=True)
    deviation = log_mel.std(axis=1, ddof=1, keepdims=True)
    return (log_mel - mean) / (deviation + 1e-5)


def slaney_filters():
    def to_mel(hertz):
        return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * np.log(hertz / 1000) / np.log(6.4)

    def to_hertz(mel):
        return mel * 200 / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)

    edges = [to_hertz(to_mel(8000) * index / 81) for index in range(82)]
    filters = np.zeros((80, 257))
    for index, (low, centre, high) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
        for bin_ in range(257):
            hertz = bin_ * 16_000 / 512
            height = min((hertz - low) / (centre - low), (high - hertz) / (high - centre))
            filters[index, bin_] = max(0.0, height) * 2 / (high - low)
    return filters
