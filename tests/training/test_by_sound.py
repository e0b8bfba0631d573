"""Other languages in Hindi's letters, as they sound."""

import shutil
from pathlib import Path

import pytest

from inference.decoding.vocabulary import load_vocabulary
from training.files import RecipeError
from training.writing import by_sound
from training.writing.transcripts import written

ROOT = Path(__file__).parent.parent.parent
needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


@pytest.mark.parametrize(
    ("language", "text", "sound"),
    [
        ("pa-IN", "ਪੰਜਾਬ", "पंजाब"),
        ("pa-IN", "ਵੱਲ", "वल्ल"),  # addak doubles
        ("pa-IN", "ਘਰ ਮੋਢੇ", "कर मोडे"),  # a tone in place of breath
        ("ta", "பரம்பி", "परम्बि"),  # a stop after a nasal is voiced
        ("ta", "அது", "अदु"),  # and one between vowels
        ("ta", "பக்கம்", "पक्कम"),  # not one that is doubled, nor the first
        ("te", "ప్రేమను", "प्रेमनु"),
        ("kn", "ಮೊದಲು", "मोदलु"),
        ("or", "ଲୋକ", "लोकॉ"),  # Odia speaks a word's last vowel
        ("ml", "കക്ക", "कक्का"),
        ("mr", "फळ", "फल"),  # a letter that no Hindi text holds
        ("dv", "ދިވެހި", "दिवेही"),
    ],
)
def test_letters_by_their_place_and_their_language(language, text, sound):
    assert by_sound.devanagari(text, language) == sound


@needs_espeak
@pytest.mark.parametrize(
    ("language", "text", "sound"),
    [
        ("de", "sieben", "ज़ीबन"),
        ("es", "nueve", "न्वेबे"),
        ("ru", "Это точно", "एता तोच्ना"),
        ("fi", "puhuttiin", "पुहुत्तीन"),
        ("fr", "l'officier", "लोफ़िस्ये"),
        ("en", "barn", "बार्न"),
        ("bn", "দিয়ে", "दिए"),  # letters with a dot are one code point for espeak-ng, two in NFC
        ("lg", "basobole", "बासोबोले"),  # by a neighbour's voice
        ("id", "yang", "यांग"),
    ],
)
def test_phonemes_become_hindi_spelling(language, text, sound):
    assert by_sound.devanagari(text, language) == sound


@needs_espeak
def test_what_is_written_is_in_the_model_s_alphabet():
    known = set("".join(load_vocabulary(ROOT / "models/hi-demo/vocab.txt").pieces))
    texts = {
        "cy": "Ceir lluniau hefyd i gyd-fynd â'r llythyrau.",
        "ka": "შუხუთის ტერიტორიაზე მოიპოვება კირქვა",
        "hu": "Állj csak meg egy szóra!",
        "ml": "ദൈവാനുഗ്രഹം തന്നെ, നിന്റെ കയ്യിൽ പൈസയുണ്ടോ",
        "ta": "ஆழியார் திட்டத்தின் கீழ்",
        "dv": "އޮފިސަރާއި މުވައްޒަފު",
        "vi": "Có khi nào nó theo thật",
    }
    for language, text in texts.items():
        sound = by_sound.devanagari(text, language)
        assert sound
        assert set(sound) - {" "} <= known, (language, sound)


def test_a_spelling_that_does_not_tell_the_sound_is_left_out():
    assert by_sound.devanagari("没影响", "zh-CN") is None


@needs_espeak
def test_a_language_without_a_voice_is_named():
    with pytest.raises(RecipeError, match="tlh"):
        by_sound.devanagari("qapla", "tlh")


def test_hindi_spelling_joins_sounds():
    spell = by_sound._spelled
    assert spell(["स", "अ", "न", "त", "इ"]) == "संती", "a nasal before a stop, a long vowel at the end"
    assert spell(["अ", "अ", "म"]) == "आम", "a vowel twice is long"
    assert spell(["ब", "ए", "य", "त", "आ"]) == "बेइता"
    assert spell(["ग", "आ", "ङ", "आ"]) == "गांगा"
    assert spell(["न", "त", "आ"]) == "न्ता", "no dot before there is a vowel"


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("कक्षा १० में", "कक्षा दस में"),
        ("₹1,25,000 मिले।", "एक लाख पच्चीस हज़ार मिले"),
        ("2.5 किलो", "दो दशमलव पाँच किलो"),
        ("0141 पर", "शून्य एक चार एक पर"),
        ("40%", "चालीस प्रतिशत"),
        ("SMS भेजो", "एस एम एस भेजो"),
        ("क़लम", "क़लम"),
        ("", ""),
    ],
)
def test_hindi_is_written_as_it_is_spoken(text, spoken):
    assert written(text) == spoken


@needs_espeak
def test_latin_words_in_hindi_are_english():
    assert written("मेरा phone कहाँ है") == "मेरा फ़ोन कहाँ है"


def test_a_number_in_another_language_cannot_be_written():
    assert written("১২টা", "bn") is None
    assert written("…!", "hi") is None
