import numpy as np
import pytest

from evaluation.comparison import rise, word_counts


def test_counts_of_each_clip():
    counts = word_counts(["एक दो तीन", "चार", ""], ["एक दस तीन", "चार", "पाँच"])
    assert counts.tolist() == [[1, 3], [0, 1], [1, 0]]


def test_the_rise_is_that_of_all_words():
    found = rise(np.array([[1, 4], [0, 6]]), np.array([[1, 4], [2, 6]]))
    assert found.points == pytest.approx(20)


def test_what_goes_both_ways_is_chance():
    before, worse, better = np.array([[1, 5]] * 200), np.array([[2, 5]] * 60), np.array([[0, 5]] * 55)
    after = np.concatenate([worse, better, before[115:]])
    assert rise(before, after).points == pytest.approx(0.5)
    assert rise(before, after).least < 0
    assert rise(before, np.concatenate([worse, before[60:]])).least > 4


def test_the_same_every_time():
    before, after = np.array([[1, 5], [0, 5]] * 50), np.array([[1, 5], [1, 5]] * 50)
    assert rise(before, after) == rise(before, after)


@pytest.mark.parametrize("after", [[[0, 3]], [[0, 4], [0, 4]]])
def test_other_clips_are_refused(after):
    with pytest.raises(ValueError, match="same clips"):
        rise(np.array([[0, 4]]), np.array(after))
