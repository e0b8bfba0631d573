from itertools import combinations

import pytest

from tests.training.needs import needs
from training.sentences import make

pytestmark = [
    pytest.mark.training,
    needs("wordfreq"),
]


def test_no_sentence_stands_in_two_sets():
    sets = make(60, [], 1, 60)
    sets["train"] = [sentence for sentence in sets["train"] if sentence.kind != "natural"]
    texts = {name: {sentence.text for sentence in found} for name, found in sets.items()}
    assert all(texts.values())
    for one, other in combinations(texts, 2):
        assert not texts[one] & texts[other], (one, other)


def test_what_make_waits_for_is_written_last():
    assert list(make(60, [], 1, 60))[-1] == "train"


def test_rows_for_the_language_model_do_not_move_what_is_spoken():
    few, many = make(60, [], 1, 60), make(60, [], 1, 600)
    assert len(many["words"]) == 600
    assert many["words"][:60] == few["words"]
    assert all(few[name] == many[name] for name in few if name != "words")
