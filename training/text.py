"""Hindi text as the model knows it: NFC Devanagari, no punctuation, numbers spoken out."""

from __future__ import annotations

import re
import unicodedata

_NOT_SPOKEN = re.compile(r"[^\u0900-\u0963\u0971-\u097f ]+")
_JOINERS = re.compile("[\u200c\u200d]")
_DEVANAGARI = re.compile(r"^[\u0900-\u0963\u0971-\u097f ]+$")

_ONES = (
    "शून्य एक दो तीन चार पाँच छः सात आठ नौ दस ग्यारह बारह तेरह चौदह पंद्रह सोलह सत्रह अठारह उन्नीस "
    "बीस इक्कीस बाईस तेईस चौबीस पच्चीस छब्बीस सत्ताईस अट्ठाईस उनतीस तीस इकतीस बत्तीस तैंतीस चौंतीस पैंतीस "
    "छत्तीस सैंतीस अड़तीस उनतालीस चालीस इकतालीस बयालीस तैंतालीस चौवालीस पैंतालीस छियालीस सैंतालीस अड़तालीस "
    "उनचास पचास इक्यावन बावन तिरपन चौवन पचपन छप्पन सत्तावन अट्ठावन उनसठ साठ इकसठ बासठ तिरसठ चौंसठ पैंसठ "
    "छियासठ सड़सठ अड़सठ उनहत्तर सत्तर इकहत्तर बहत्तर तिहत्तर चौहत्तर पचहत्तर छिहत्तर सतहत्तर अठहत्तर उन्यासी "
    "अस्सी इक्यासी बयासी तिरासी चौरासी पचासी छियासी सतासी अट्ठासी नवासी नब्बे इक्यानवे बानवे तिरानवे चौरानवे "
    "पचानवे छियानवे सत्तानवे अट्ठानवे निन्यानवे"
).split()

_SCALES = ((10_000_000, "करोड़"), (100_000, "लाख"), (1_000, "हज़ार"), (100, "सौ"))


def normalise(text: str) -> str:
    """Drop everything that is not spoken Devanagari; NFC; single spaces.

    >>> normalise("नमस्ते, दुनिया!")
    'नमस्ते दुनिया'
    """
    text = _JOINERS.sub("", unicodedata.normalize("NFC", text))
    text = _NOT_SPOKEN.sub(" ", text.replace("\u0964", " "))
    return unicodedata.normalize("NFC", " ".join(text.split()))


def is_trainable(text: str) -> bool:
    """Whether `text` is already what `normalise` would leave, and not empty."""
    return bool(text) and bool(_DEVANAGARI.match(text)) and normalise(text) == text


def spoken_number(value: int) -> str:
    """Spell a number from 0 to 99,99,99,999 the Indian way.

    >>> spoken_number(1250)
    'एक हज़ार दो सौ पचास'
    """
    if not 0 <= value <= 999_999_999:
        raise ValueError(f"{value} is outside 0..99,99,99,999")
    if value < 100:
        return unicodedata.normalize("NFC", _ONES[value])
    for scale, name in _SCALES:
        if value >= scale:
            head, rest = divmod(value, scale)
            words = f"{spoken_number(head)} {unicodedata.normalize('NFC', name)}"
            return f"{words} {spoken_number(rest)}" if rest else words
    raise AssertionError("unreachable: the scales cover every number from 100 up")
