import pytest

from training.letters import phonemes
from training.synthesisers import for_festival


@pytest.mark.parametrize(
    ("word", "sounds"),
    [
        ("राम", "ɾaːmə"),
        ("मैं", "mɛːm"),
        ("हूँ", "huːn"),
        ("विद्या", "ʋɪdjaː"),
        ("लड़का", "ləɽəkaː"),
        ("ग़म", "ɡəmə"),
        ("दुःख", "dʊhəkʰə"),
        ("आई", "aːiː"),
        ("कृषि", "kɾɪʂɪ"),
    ],
)
def test_every_schwa_is_spoken_and_signs_change_it(word, sounds):
    heard = phonemes(word).replace("ˈ", "").replace("I", "ɛː").replace("W", "ɔː")
    assert heard.replace("ʌ", "ə") == sounds or heard.replace("a", "ə").replace("əː", "aː") == sounds


def test_the_manner_differs_between_speakers_but_not_between_calls():
    manners = {phonemes("और कमल", f"voice {number}") for number in range(30)}
    assert len(manners) == 6
    assert phonemes("और कमल", "x") == phonemes("और कमल", "x")


def test_dotted_letters_reach_festival_as_one_code_point():
    assert for_festival("लड़का ज़ोर") == "ल\u095cका \u095bोर"
    assert for_festival("राम") == "राम"
