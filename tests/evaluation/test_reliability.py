"""Measures of confidence against their definitions."""

import numpy as np
import pytest

from evaluation.reliability import Judged, joined, words_right


def judged(confidence, right):
    return Judged(np.array(confidence, dtype=float), np.array(right, dtype=bool))


def test_true_confidences_have_no_error():
    each = judged([0.75] * 4 + [0.5] * 2, [1, 1, 1, 0, 1, 0])
    assert each.error() == pytest.approx(0)
    assert list(each.bins()) == [(0.5, 0.5, 2), (0.75, 0.75, 4)]
    assert judged([0.9] * 10, [1] * 5 + [0] * 5).error() == pytest.approx(0.4)


def test_errors_are_weighed_by_words_in_both_kinds_of_bins():
    each = judged([0.01] * 10 + [1.0] * 30, [1] * 10 + [1] * 15 + [0] * 15)
    assert each.error() == pytest.approx((10 * 0.99 + 30 * 0.5) / 40)
    assert each.error(equal_mass=True) >= each.error() - 1e-9
    assert sum(count for *_, count in each.bins(equal_mass=True)) == 40
    assert judged([], []).error() == 0


def test_cross_entropy_and_area():
    right = [1, 1, 1, 0]
    assert judged([0.75] * 4, right).cross_entropy == pytest.approx(0)
    assert judged([1, 1, 1, 0], right).cross_entropy == pytest.approx(1, abs=1e-4)
    assert judged([0, 0, 0, 1], right).cross_entropy < 0
    assert judged([0.9, 0.6, 0.2, 0.2], right).area == pytest.approx(2.5 / 3)
    assert np.isnan(judged([0.5], [1]).area)
    assert joined([judged([0.1], [0]), judged([0.9], [1])]).area == 1


@pytest.mark.parametrize(
    ("reference", "heard", "expected"),
    [
        ("मैं घर जाता हूँ।", "मैं घर जाता हूँ", [1, 1, 1, 1]),
        ("मैं घर जाता हूँ", "मैं पर घर जाता", [1, 0, 1, 1]),
        ("ज़रा", "ज़रा", [1]),
        ("मैं", "।  मैं", [0, 1]),
        ("", "कुछ भी", [0, 0]),
        ("कुछ", "", []),
    ],
)
def test_which_words_are_right(reference, heard, expected):
    assert words_right(reference, heard.split()) == [bool(each) for each in expected]
