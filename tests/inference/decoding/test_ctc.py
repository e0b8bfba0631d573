"""Greedy CTC against the definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.decoding.ctc import greedy

BLANK = 4


def one_hot(steps):
    return np.log(np.eye(BLANK + 1, dtype=np.float32)[steps] * 0.9 + 0.02)


@pytest.mark.parametrize(
    ("steps", "tokens"),
    [
        ([4, 4, 4], []),
        ([1, 1, 1], [1]),
        ([1, 4, 1], [1, 1]),
        ([0, 1, 1, 4, 4, 1, 2, 2], [0, 1, 1, 2]),
        ([4, 3, 4], [3]),
        ([2], [2]),
    ],
)
def test_repeats_merge_and_blanks_vanish(steps, tokens):
    assert greedy(one_hot(steps), BLANK).tolist() == tokens


@given(st.lists(st.integers(0, BLANK), min_size=1, max_size=60))
def test_equal_to_the_plain_loop(steps):
    tokens, previous = [], None
    for step in steps:
        if step not in (previous, BLANK):
            tokens.append(step)
        previous = step
    assert greedy(one_hot(steps), BLANK).tolist() == tokens


def test_the_blank_may_have_any_id():
    assert greedy(one_hot([0, 4, 0, 4]), blank=0).tolist() == [4, 4]


def test_no_steps_no_tokens():
    assert greedy(np.empty((0, BLANK + 1), np.float32), BLANK).tolist() == []
