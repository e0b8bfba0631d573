"""Scores of words against the entropy written out, and what a score may never do."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.decoding.alignment import AlignedToken, Aligner
from inference.decoding.confidence import confidence, word_scores
from inference.decoding.vocabulary import Vocabulary
from inference.types import ConfidenceCurve, Options
from tests.samples import CLIPS

VOCABULARY = Vocabulary(("<unk>", "▁", "▁क", "क", "म", "कम"))
SIZE = VOCABULARY.blank + 1


def heard(*steps):
    """Steps, each a share for its token, the rest in equal parts."""
    rows = np.array([[(1 - share) / (SIZE - 1)] * SIZE for _, share in steps])
    rows[np.arange(len(steps)), [token for token, _ in steps]] = [share for _, share in steps]
    return np.log(rows).astype(np.float32)


def certainty(row):
    entropy = -sum(share * math.log(share) for share in np.exp(row.astype(float)).tolist())
    return (SIZE * math.exp(-entropy) - 1) / (SIZE - 1)


def test_a_word_is_as_sure_as_its_least_sure_token_at_its_surest_step():
    blank = VOCABULARY.blank
    log_probabilities = heard((2, 0.7), (2, 0.99), (blank, 0.5), (4, 0.8), (blank, 0.9), (2, 0.6))
    tokens = (AlignedToken(2, 0, 0, 1), AlignedToken(4, 0, 3, 3), AlignedToken(2, 1, 5, 5))
    expected = [certainty(log_probabilities[3]), certainty(log_probabilities[5])]
    assert word_scores(log_probabilities, tokens, blank) == pytest.approx(expected, rel=1e-4)
    assert certainty(log_probabilities[1]) > expected[0] > certainty(log_probabilities[0]) > expected[1]


def test_a_word_against_the_sounds_is_less_sure():
    log_probabilities = heard((2, 0.9), (4, 0.9))
    (as_heard,) = word_scores(log_probabilities, Aligner(VOCABULARY)(log_probabilities, "कम"), VOCABULARY.blank)
    (otherwise,) = word_scores(log_probabilities, Aligner(VOCABULARY)(log_probabilities, "कक"), VOCABULARY.blank)
    assert otherwise == pytest.approx(as_heard * 0.1 / (SIZE - 1) / 0.9, rel=1e-3)


def test_certain_and_clueless():
    token = (AlignedToken(2, 0, 0, 0),)
    assert word_scores(heard((2, 1 - 1e-7)), token, VOCABULARY.blank) == pytest.approx([1], abs=1e-4)
    assert word_scores(heard((2, 1 / SIZE)), token, VOCABULARY.blank) == pytest.approx([0], abs=1e-5)
    impossible = np.full((1, SIZE), -np.inf, dtype=np.float32)
    impossible[0, 2] = 0
    assert word_scores(impossible, token, VOCABULARY.blank) == [1]
    assert word_scores(impossible, (AlignedToken(4, 0, 0, 0),), VOCABULARY.blank) == [0]


@st.composite
def curves(draw):
    scores = sorted(draw(st.sets(st.floats(0, 1), min_size=1, max_size=8)))
    right = sorted(draw(st.lists(st.floats(0, 1), min_size=len(scores), max_size=len(scores))))
    return ConfidenceCurve(tuple(scores), tuple(right))


@settings(max_examples=60)
@given(st.text(alphabet="कम ", max_size=12), st.integers(1, 40), st.integers(0, 2**32 - 1), st.floats(0, 30))
def test_each_word_has_a_score_from_0_to_1(text, steps, seed, contrast):
    logits = np.random.default_rng(seed).normal(scale=contrast, size=(steps, SIZE))
    log_probabilities = (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)
    scores = word_scores(log_probabilities, tokens := Aligner(VOCABULARY)(log_probabilities, text), VOCABULARY.blank)
    assert len(scores) == (len(text.split()) if tokens else 0)
    assert all(0 <= score <= 1 for score in scores)


@given(curves(), st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_more_score_is_never_less_confidence(curve, scores):
    found = [confidence(score, curve) for score in sorted(scores)]
    assert found == sorted(found)
    assert found[0] >= 0
    assert found[-1] <= 1
    assert [confidence(score, None) for score in scores] == scores


@pytest.mark.parametrize(
    ("scores", "right"),
    [
        ((), ()),
        ((0.0, 1.0), (0.5,)),
        ((0.5, 0.5), (0.1, 0.2)),
        ((0.0, 1.0), (0.6, 0.5)),
        ((0.0, 1.5), (0.1, 0.2)),
        ((0.0, 1.0), (-0.1, 0.2)),
        ((0.0, math.nan), (0.1, 0.2)),
    ],
)
def test_what_is_no_curve(scores, right):
    with pytest.raises(ValueError, match="must increase"):
        ConfidenceCurve(scores, right)


@pytest.mark.parametrize("decoding", ["greedy", "beam"])
def test_words_of_clips(pipeline, decoding):
    for clip in CLIPS:
        transcript = pipeline.transcribe(clip, options=Options(words=True, decoding=decoding))
        words = [word for segment in transcript.segments for word in segment.words]
        assert " ".join(word.text for word in words) == transcript.text
        for word in words:
            assert 0 <= word.confidence <= 1
            assert "".join(token.text for token in word.tokens) == word.text
            assert all(token.log_probability <= 0 for token in word.tokens)
