import subprocess

import pytest

from training.synthesis.festival import for_festival
from training.synthesis.synthesisers import synthesise
from training.utterance import Utterance
from training.writing.letters import mnemonics, phonemes


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


@pytest.mark.programs("espeak-ng")
def test_espeak_knows_every_sound():
    letters = "कखगघङचछजझञटठडढणतथदधनपफबभमयरलवशषसह"
    text = " ".join([*letters, "ज़मीन", "फ़न", "सड़क", "पढ़", "ऋषि", "औरत", "ऐनक", "दुःख", "हूँ", "ऑटो", "कैसे", "मौसम"])
    line = mnemonics(text, "x")
    program = ["espeak-ng", "-q", "-x", "-v", "hi", "--", line]
    spoken = subprocess.run(program, capture_output=True, check=True, text=True).stdout
    assert len(spoken.split()) == len(text.split()), spoken
    vowels = "@aIiUueEoO"
    assert all(any(vowel in word for vowel in vowels) for word in spoken.split()), spoken


@pytest.mark.programs("espeak-ng")
def test_letter_by_letter_takes_espeak_longer():
    plain, letters = (
        len(synthesise(Utterance("राम का कमल सफल नमक", voice))) for voice in ("espeak:f3", "letters:espeak:f3")
    )
    assert letters > 1.1 * plain


def test_dotted_letters_reach_festival_as_one_code_point():
    assert for_festival("लड़का ज़ोर") == "ल\u095cका \u095bोर"
    assert for_festival("राम") == "राम"
