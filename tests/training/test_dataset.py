"""Which clips are drawn."""

import importlib.util

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs torch: training/requirements.txt"
)


def test_a_speaker_of_many_clips_is_drawn_more_often_but_not_as_often_as_by_clips():
    from training.dataset import by_speaker

    odds = by_speaker(["a"] * 16 + ["b"])
    assert odds.sum() == pytest.approx(1)
    assert odds[:16].sum() / odds[16] == pytest.approx(4)


def test_clips_without_a_speaker_are_equally_likely():
    from training.dataset import by_speaker

    assert np.allclose(by_speaker([""] * 5), 0.2)
