"""Counts and what is kept of them."""

import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from export.errors import ExportError
from export.ngrams import Size, train, train_on_words
from inference.decoding.language_model import LanguageModel
from inference.types import NgramModel


def test_long_n_grams_that_occur_seldom_are_forgotten():
    sentences = ["कमल कम कर", "कमल कम", "नमक"]
    whole, frequent = (train(sentences, Size(6, least)) for least in (1, 2))
    assert len(frequent.symbols) < len(whole.symbols)
    model = LanguageModel(frequent)
    _, often = model.advance(model.start, "▁कम")
    _, seldom = model.advance(model.start, "▁नम")
    assert model.advance(often, "ल")[0] > model.advance(seldom, "ल")[0]


def test_forgetting_what_gains_little_costs_less_than_forgetting_what_occurs_seldom():
    text = Path(__file__).parents[2] / "training/data/training_sentences.txt"
    sentences = [line for line in text.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    read, unread = sentences[:1500], sentences[3000:3300]
    by_gain, by_count = train(read, Size(7, 2, gain=4.0)), train(read, Size(7, 3))
    assert len(by_gain.symbols) < len(by_count.symbols)
    assert _likelihood(by_gain, unread) > _likelihood(by_count, unread)


def _likelihood(found: NgramModel, sentences: Sequence[str]) -> float:
    model = LanguageModel(found)
    behind = [model.advance(model.start, "".join(f"▁{word}" for word in text.split())) for text in sentences]
    return sum(score + model.end(state) for score, state in behind)


def test_what_was_read_often_is_likelier():
    model = LanguageModel(train(["कमल"] * 5 + ["कलम"], Size(4, 1)))
    frequent, seldom = (model.advance(model.start, f"▁{word}")[0] for word in ("कमल", "कलम"))
    assert seldom < frequent < math.log(1)


def test_letters_that_were_never_read_cost_something_and_break_nothing():
    model = LanguageModel(train(["कमल"], Size(4, 1)))
    score, state = model.advance(model.start, "▁क ⁇ ")
    assert math.isfinite(score)
    assert math.isfinite(model.end(state))


def test_more_letters_than_a_byte_counts():
    letters = [chr(0x4E00 + index) for index in range(400)]
    model = LanguageModel(train(["".join(letters)], Size(2, 1)))
    _, state = model.advance(model.start, ("▁", *letters[:-1]))
    assert model.advance(state, letters[-1])[0] > model.advance(state, letters[0])[0]


def test_nothing_to_learn_from():
    for learn in (train, train_on_words):
        with pytest.raises(ExportError, match="no text"):
            learn([" ", ""], Size(2, 1))


def test_words_in_a_row():
    """Of two words that occur as often, the one that was read behind this one is likelier there."""
    model = LanguageModel(train_on_words(["लाल गाड़ी", "नीली घड़ी"] * 3, Size(2, 1)), of_words=True)
    _, state = model.advance(model.start, ["लाल"])
    behind = {word: model.advance(state, [word])[0] for word in ("गाड़ी", "घड़ी", "अज्ञात")}
    assert behind["गाड़ी"] > behind["घड़ी"] > behind["अज्ञात"], "a word that is known is likelier than one that is not"
    everything = ["लाल", "गाड़ी", "नीली", "घड़ी", "\x03"]
    assert 0.9 < sum(math.exp(model.advance(state, [word])[0]) for word in everything) <= 1.0 + 1e-6


def test_words_that_occur_seldom_in_a_row_are_forgotten_and_single_ones_kept():
    sentences = ["एक दो", "एक दो", "दो एक तीन"]
    whole, frequent = (train_on_words(sentences, Size(2, least)) for least in (1, 2))
    assert whole.alphabet == frequent.alphabet
    assert len(frequent.symbols) < len(whole.symbols)
