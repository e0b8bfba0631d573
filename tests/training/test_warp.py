"""Other vocal tracts and paces."""

import numpy as np
import pytest

from tests.training.needs import needs

pytestmark = needs("torch")


@pytest.fixture
def ridge():
    """A formant at band 40, from frame 30 to frame 59 of 100."""
    import torch

    features = torch.zeros(80, 100)
    features[40, 30:60] = 1
    return features


def test_a_longer_tract_has_lower_formants(ridge):
    from training.acoustics.warp import warp_tract

    assert int(warp_tract(ridge, 1.25).sum(1).argmax()) == 32
    assert int(warp_tract(ridge, 0.8).sum(1).argmax()) == 50
    assert (warp_tract(ridge, 1.0) == ridge).all()


def test_each_stretch_gets_its_own_pace(ridge):
    from training.acoustics.warp import warp_pace

    slower = warp_pace(ridge, [1.0, 2.0])
    assert slower.shape == (80, 150)
    assert float(slower[40].sum()) == pytest.approx(20 + 2 * 10, abs=1)
    assert (warp_pace(ridge, [1.0]) == ridge).all()


def test_warped_clips_stay_finite_and_near_their_length(ridge):
    from training.acoustics.warp import Warps, warp

    chance = np.random.default_rng(2)
    lengths = {warp(ridge, chance, Warps(tract=1, pace=1)).shape[1] for _ in range(50)}
    assert 70 <= min(lengths) < 95
    assert 110 < max(lengths) <= 145
    assert (warp(ridge, chance, Warps(tract=0, pace=0)) == ridge).all()
