import math

import pytest

from evaluation.scoring import normalise, score


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("नमस्ते, दुनिया।", "नमस्ते दुनिया"),
        ("  दो   शब्द ", "दो शब्द"),
        ("रुको! क्यों?", "रुको क्यों"),
        ("\u0915\u094d\u200d\u0937", "\u0915\u094d\u0937"),  # a joiner is invisible
        ("\u095b", "\u091c\u093c"),  # za in one character and in two
        ("\u0929", "\u0928\u093c"),  # composed by NFC, decomposed by the Indic NLP Library
        ("फ़ल", "फ\u093cल"),  # the nukta stays
        ("कि की कु कू", "कि की कु कू"),  # and so do vowel signs
    ],
)
def test_normalise(text, expected):
    assert normalise(text) == expected


def test_nukta_written_either_way_is_no_error():
    assert score(["ज़मीन"], ["ज\u093cमीन"]).characters.errors == 0


def test_counts():
    found = score(["एक दो तीन चार", "पाँच"], ["एक दो चार", "पाँच छह"])
    assert (found.words.errors, found.words.length) == (2, 5)
    assert found.words.percent == pytest.approx(40)
    assert found.utterances == 2


def test_empty_texts():
    assert score(["एक", ""], ["", ""]).words.percent == 100
    assert score([""], [""]).words.percent == 0
    assert math.isinf(score([""], ["एक"]).words.percent)


def test_interval_holds_the_rate_and_narrows_with_more_speech():
    references, hypotheses = ["एक दो तीन"] * 20, ["एक दो तीन"] * 10 + ["एक दस तीन"] * 10
    few, many = score(references, hypotheses), score(references * 20, hypotheses * 20)
    low, high = few.words.interval
    assert low < few.words.percent < high
    assert many.words.interval[1] - many.words.interval[0] < (high - low) / 3
    assert few == score(references, hypotheses)


def test_refuses_what_cannot_be_compared():
    with pytest.raises(ValueError, match="1 references and 0 hypotheses"):
        score(["एक"], [])
    with pytest.raises(ValueError, match="0 references"):
        score([], [])
