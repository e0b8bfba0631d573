"""Counts and what is kept of them."""

import math

import pytest

from export.errors import ExportError
from export.ngrams import train
from inference.language_model import LanguageModel


def test_long_n_grams_that_occur_seldom_are_forgotten():
    sentences = ["कमल कम कर", "कमल कम", "नमक"]
    whole, frequent = (train(sentences, 6, least) for least in (1, 2))
    assert len(frequent.symbols) < len(whole.symbols)
    model = LanguageModel(frequent)
    _, often = model.advance(model.start, "▁कम")
    _, seldom = model.advance(model.start, "▁नम")
    assert model.advance(often, "ल")[0] > model.advance(seldom, "ल")[0]


def test_what_was_read_often_is_likelier():
    model = LanguageModel(train(["कमल"] * 5 + ["कलम"], 4, 1))
    frequent, seldom = (model.advance(model.start, f"▁{word}")[0] for word in ("कमल", "कलम"))
    assert seldom < frequent < math.log(1)


def test_letters_that_were_never_read_cost_something_and_break_nothing():
    model = LanguageModel(train(["कमल"], 4, 1))
    score, state = model.advance(model.start, "▁क ⁇ ")
    assert math.isfinite(score)
    assert math.isfinite(model.end(state))


def test_too_many_letters():
    with pytest.raises(ExportError, match="300 different characters; 254"):
        train(["".join(chr(0x4E00 + index) for index in range(299))], 2, 1)
