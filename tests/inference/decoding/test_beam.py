"""Beam search against every path there is, with a real language model."""

import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.ngrams import Size, train, train_on_words
from inference.decoding.beam import BeamOptions, BeamSearch
from inference.decoding.language_model import LanguageModel
from inference.decoding.rescoring import Rescoring
from inference.decoding.vocabulary import Vocabulary

PIECES = ("▁क", "म", "ल", "▁")
VOCABULARY = Vocabulary(PIECES)
MODEL = LanguageModel(train(["कमल", "कल", "कम कल", "कमल कम"], Size(4, 1)))


def everything(weight, bonus):
    return BeamOptions(weight, bonus, width=10_000, least_token=0.0, least_hypothesis=0.0)


def best_of_all_paths(log_probabilities, options):
    """The definition: the paths of each text added up, times what the language model makes of the text."""
    sums = defaultdict(float)
    steps, tokens = log_probabilities.shape
    for path in itertools.product(range(tokens), repeat=steps):
        merged = [token for token, _ in itertools.groupby(path) if token != len(PIECES)]
        probability = math.exp(sum(log_probabilities[step, token] for step, token in enumerate(path)))
        sums["".join(PIECES[token] for token in merged)] += probability

    def worth(text):
        score, state = MODEL.advance(MODEL.start, text)
        letters = len(text.replace("▁", ""))
        return sums[text] * math.exp(options.weight * (score + MODEL.end(state)) + options.bonus * letters)

    texts = defaultdict(float)
    for text in sums:
        texts[VOCABULARY.plain(text)] += worth(text)
    return max(texts, key=texts.get)


# Without a weight, texts with repeated tokens win too, which no words hold.
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.sampled_from([(0.7, 0.5), (0.0, 0.5), (0.2, 1.0)]))
def test_equal_to_all_paths(seed, steps, fusion):
    options = everything(*fusion)
    raw = 2 * np.random.default_rng(seed).normal(size=(steps, len(PIECES) + 1))
    scores = (raw - np.logaddexp.reduce(raw, axis=1, keepdims=True)).astype(np.float32)
    assert BeamSearch(VOCABULARY, MODEL, options)(scores) == best_of_all_paths(scores, options)


def test_no_steps_no_text():
    assert BeamSearch(VOCABULARY, MODEL, everything(0.7, 0.5))(np.empty((0, len(PIECES) + 1), np.float32)) == ""


def test_the_language_model_settles_what_the_ear_cannot():
    """The last sound is म or ल with the same probability; behind कम only ल makes a word."""
    heard = np.full((3, 5), 0.02)
    heard[[0, 1], [0, 1]] = 0.92
    heard[2] = [0.02, 0.44, 0.44, 0.02, 0.08]
    assert BeamSearch(VOCABULARY, MODEL, BeamOptions(1.0, 1.0))(np.log(heard).astype(np.float32)) == "कमल"


def test_words_settle_what_letters_cannot():
    """कम क ल is a little likelier by sound; that कमल stands behind कम only words know."""
    letters = LanguageModel(train(["कम"], Size(1, 1)))
    words = LanguageModel(train_on_words(["कम कमल", "ल कल"] * 5, Size(2, 1)), of_words=True)
    steps = [("▁क",), ("म",), ("▁क",), ("म", "▁"), ("ल",)]  # कम कमल or कम क ल
    heard = np.full((len(steps), 5), 0.01)
    for row, pieces in zip(heard, steps, strict=True):
        for piece, share in zip(pieces, (0.4, 0.5) if len(pieces) == 2 else (0.9,), strict=True):
            row[PIECES.index(piece)] = share
    scores = np.log(heard / heard.sum(1, keepdims=True)).astype(np.float32)
    options = BeamOptions(0.0, 0.0)
    found = BeamSearch(VOCABULARY, letters, options).hypotheses(scores)
    alone = BeamSearch(VOCABULARY, letters, options)(scores)
    assert alone == max(found, key=found.get) == "कम क ल"
    rescoring = Rescoring(words, 1.0, 0.0)
    assert BeamSearch(VOCABULARY, letters, options, rescoring)(scores) == "कम कमल"
    assert rescoring("कम कमल") > rescoring("कम क ल")
    assert rescoring("") < 0


def test_a_bonus_is_counted_by_words():
    words = LanguageModel(train_on_words(["कम कमल"], Size(2, 1)), of_words=True)
    without, with_one = (Rescoring(words, 0.5, bonus) for bonus in (0.0, 1.0))
    assert with_one("कम कमल कम") - without("कम कमल कम") == pytest.approx(3)


def test_long_clips_do_not_underflow():
    steps = np.log(np.full((2_000, 5), 0.2, np.float32))
    assert isinstance(BeamSearch(VOCABULARY, MODEL, BeamOptions(0.7, 0.5))(steps), str)


@pytest.mark.parametrize("text", ["कम", "कमल▁कम", "ल", "▁▁"])
def test_probabilities_of_what_follows_add_up(text):
    _, state = MODEL.advance(MODEL.start, text)
    alphabet = ["क", "म", "ल", "▁", "\x03"]
    total = sum(math.exp(MODEL.advance(state, letter)[0]) for letter in alphabet)
    # A sixth, the beginning of a sentence, follows nothing, but smoothing leaves it a little.
    assert 0.9 < total <= 1.0 + 1e-6
