"""Features of samples that come in pieces are those of the whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.feature_stream import FeatureStream
from inference.features import FeatureParameters, Featurizer
from tests.samples import noise

PARAMETERS = FeatureParameters(), FeatureParameters(8_000, 64, 256, 160, 80, 0.0)


def joined(parts):
    log_mel = np.concatenate([part.log_mel for part in parts], axis=1)
    return log_mel, np.concatenate([part.power for part in parts])


@settings(max_examples=60)
@given(st.sampled_from(PARAMETERS), st.lists(st.integers(0, 3_000), max_size=12), st.integers(0, 9))
def test_pieces_change_nothing(parameters, sizes, seed):
    featurizer = Featurizer(parameters)
    samples = noise(3, seed=seed).astype(np.float32)[: sum(sizes)]
    stream = FeatureStream(featurizer)
    pieces = np.split(samples, np.cumsum(sizes)[:-1]) if sizes else [samples]
    log_mel, power = joined([*(stream.take(piece) for piece in pieces), stream.finish()])
    expected = featurizer.features(samples) if samples.size else None
    assert log_mel.shape == (parameters.mel_bins, samples.size // parameters.hop_size)
    assert power.size == log_mel.shape[1]
    if expected:
        np.testing.assert_allclose(log_mel, expected.log_mel, atol=1e-4)
        np.testing.assert_allclose(power, expected.power, rtol=1e-5)


def test_a_frame_comes_with_its_window():
    """That is 25 ms around its beginning, so 12.5 behind it."""
    stream = FeatureStream(Featurizer(FeatureParameters()))
    counts = [stream.take(np.zeros(samples, np.float32)).power.size for samples in (199, 1, 159, 1)]
    assert counts == [0, 1, 0, 1]


@pytest.mark.parametrize("hop", [80, 200, 256])
def test_frames_are_ten_milliseconds_apart(hop):
    with pytest.raises(ValueError, match="10 ms"):
        FeatureParameters(hop_size=hop)
