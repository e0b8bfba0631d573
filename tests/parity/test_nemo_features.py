"""Features against NeMo's own, over durations, levels and both semantics."""

import numpy as np
import pytest

from inference.features import FeatureParameters, Featurizer
from inference.types import Waveform
from tests.parity.signals import SAMPLE_RATE, SIGNALS

TOLERANCE = 5e-4
SEMANTICS = ("nemo-1", "nemo-2.5")
SECONDS = (0.1, 0.25, 1.0, 2.5, 10.0, 30.0)
# Around a hop's boundary, where the count of frames changes.
SAMPLE_COUNTS = (1_600, 1_601, 1_759, 1_760, 1_761, 4_000 + 159, 16_001)


@pytest.fixture(scope="module")
def nemo_features():
    """(samples, semantics) → valid features, computed by NeMo's real preprocessor."""
    import torch
    from nemo.collections.asr.modules import AudioToMelSpectrogramPreprocessor

    from export.reference import features_before_2_5

    preprocessor = AudioToMelSpectrogramPreprocessor(
        sample_rate=SAMPLE_RATE, normalize="per_feature", window_size=0.025, window_stride=0.01, window="hann",
        features=80, n_fft=512, dither=1e-5, pad_to=0,
    ).eval()  # fmt: skip

    def compute(samples, semantics):
        signal, length = torch.from_numpy(samples)[None], torch.tensor([samples.size])
        with torch.no_grad():
            if semantics == "nemo-1":
                features, frames = features_before_2_5(preprocessor.featurizer, signal, length)
            else:
                features, frames = preprocessor(input_signal=signal, length=length)
        return features[0, :, : int(frames[0])].numpy()

    return compute


@pytest.mark.parametrize("signal", SIGNALS)
def test_equal_where_nothing_is_normalised(signal):
    import torch
    from nemo.collections.asr.modules import AudioToMelSpectrogramPreprocessor

    preprocessor = AudioToMelSpectrogramPreprocessor(
        sample_rate=SAMPLE_RATE, normalize="NA", window_size=0.025, window_stride=0.01, window="hann",
        features=80, n_fft=512, dither=0.0, pad_to=0,
    ).eval()  # fmt: skip
    samples = SIGNALS[signal](2 * SAMPLE_RATE)
    with torch.no_grad():
        expected, frames = preprocessor(
            input_signal=torch.from_numpy(samples)[None], length=torch.tensor([samples.size])
        )
    parameters = FeatureParameters(normalisation="none")
    found = Featurizer(parameters)(Waveform(samples, SAMPLE_RATE))
    np.testing.assert_allclose(found, expected[0, :, : int(frames[0])].numpy(), rtol=0, atol=2e-3)


def our_features(samples, semantics):
    return Featurizer(FeatureParameters(semantics=semantics))(Waveform(samples, SAMPLE_RATE))


@pytest.mark.parametrize("level", [1.0, 0.1, 0.01])
@pytest.mark.parametrize("seconds", SECONDS)
@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("semantics", SEMANTICS)
def test_equal_at_every_duration_and_level(nemo_features, semantics, signal, seconds, level):
    samples = np.float32(level) * SIGNALS[signal](round(seconds * SAMPLE_RATE))
    expected = nemo_features(samples, semantics)
    np.testing.assert_allclose(our_features(samples, semantics), expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("count", SAMPLE_COUNTS)
@pytest.mark.parametrize("semantics", SEMANTICS)
def test_equal_around_the_boundaries_of_frames(nemo_features, semantics, count):
    samples = SIGNALS["voice"](count)
    expected = nemo_features(samples, semantics)
    np.testing.assert_allclose(our_features(samples, semantics), expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("level", [1e-4, 1e-5, 1e-6, 0.0])
@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("semantics", SEMANTICS)
def test_near_silence_we_are_nearer_to_the_truth_than_nemo(nemo_features, semantics, signal, level):
    # The deviation of a nearly silent bin is as small as float32's rounding of log(2**-24), so that NeMo's own
    # features are up to 0.5 away from the exact ones, and equality with NeMo would be chance.
    samples = np.float32(level) * SIGNALS[signal](2 * SAMPLE_RATE)
    exact = exact_features(samples, semantics)
    nemo_error = np.abs(nemo_features(samples, semantics) - exact).max()
    assert nemo_error > TOLERANCE  # or this test would say nothing
    assert np.abs(our_features(samples, semantics) - exact).max() < nemo_error / 4


def test_the_two_semantics_differ(nemo_features):
    samples = SIGNALS["voice"](SAMPLE_RATE)
    old, new = (nemo_features(samples, semantics) for semantics in SEMANTICS)
    assert (old.shape[1], new.shape[1]) == (101, 100)
    assert np.abs(old[:, :100] - new).max() > 0.1


def exact_features(samples, semantics):
    """NeMo's formula in float64, frame by frame."""
    import librosa

    samples = samples.astype(np.float64)
    emphasised = np.append(samples[:1], samples[1:] - 0.97 * samples[:-1])
    padded = np.pad(emphasised, 256, mode="reflect" if semantics == "nemo-1" else "constant")
    window = np.pad(np.hanning(400), 56)
    frames = samples.size // 160 + (semantics == "nemo-1")
    power = np.stack([np.abs(np.fft.rfft(padded[160 * i : 160 * i + 512] * window)) ** 2 for i in range(frames)])
    filterbank = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=512, n_mels=80, norm="slaney", dtype=np.float64)
    log_mel = np.log(filterbank @ power.T + 2**-24)
    return (log_mel - log_mel.mean(axis=1, keepdims=True)) / (log_mel.std(axis=1, ddof=1, keepdims=True) + 1e-5)
