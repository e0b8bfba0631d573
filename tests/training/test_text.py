import random

import pytest

from training.sentences import everyday, natural, natural_to_train, reserved, slots
from training.writing.text import is_trainable, normalise, spoken_number


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "शून्य"),
        (39, "उनतालीस"),
        (100, "एक सौ"),
        (1250, "एक हज़ार दो सौ पचास"),
        (10_00_000, "दस लाख"),
        (2_50_07_003, "दो करोड़ पचास लाख सात हज़ार तीन"),
    ],
)
def test_numbers_are_spoken_the_indian_way(value, words):
    assert spoken_number(value) == normalise(words)


def test_every_number_below_a_hundred_has_its_own_name():
    assert len({spoken_number(value) for value in range(100)}) == 100


def test_a_number_that_cannot_be_spoken_is_refused():
    with pytest.raises(ValueError, match="outside"):
        spoken_number(-1)


def test_normalise_leaves_spoken_devanagari():
    assert normalise("नमस्ते,  दुनिया! (hello) १२।") == "नमस्ते दुनिया"


def test_templates_fill_to_trainable_text():
    source = everyday(random.Random(1))
    assert all(is_trainable(next(source)) for _ in range(500))


def test_slots_hold_no_empty_value():
    assert all(value.strip() == value and value for values in slots().values() for value in values)


def test_hand_written_sentences_are_trainable_and_reserved():
    assert all(map(is_trainable, [*natural("test"), *natural("development")]))
    assert {*natural("test"), *natural("development")} < reserved()
    assert normalise("नमस्ते आपका नाम क्या है") in reserved()


def test_natural_training_sentences_share_no_four_words_in_a_row_with_a_reserved_one():
    kept = [sentence.text for sentence in natural_to_train()]
    apart = [f" {text} " for text in reserved()]
    for text in kept:
        words = text.split()
        runs = [f" {' '.join(words[start : start + 4])} " for start in range(len(words) - 3)]
        assert not any(run in reserved_text for run in runs for reserved_text in apart), text
    assert len(set(natural("training"))) > len(kept) > 3000, "the file itself holds some that do"
