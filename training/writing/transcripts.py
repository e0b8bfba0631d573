"""Transcripts of recordings → what the model writes: plain Devanagari, numbers spoken out, other languages by sound."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from training import DATA
from training.writing import by_sound
from training.writing.text import normalise, plain_letters, spoken_number

_DIGITS = str.maketrans("०१२३४५६७८९", "0123456789")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_LATIN = re.compile(r"[A-Za-z][A-Za-z']*")
_LARGEST = 999_999_999
_UNSPEAKABLE = re.compile(r"[\d]")


def written(text: str, language: str = "hi") -> str | None:
    """What the model is to write for a clip; none where that cannot be told.

    >>> written("कक्षा 10 में", "hi")
    'कक्षा दस में'
    """
    if not text.strip():
        return ""
    if language == "hi":
        return hindi(text) or None
    if _UNSPEAKABLE.search(text.translate(_DIGITS)) or any(unicodedata.category(letter) == "Nd" for letter in text):
        return None  # spoken in a language whose numbers nobody here can spell
    return by_sound.devanagari(text, language)


def hindi(text: str) -> str:
    """Hindi as it is spoken: numbers in words, Latin words by their English sound, no punctuation.

    >>> hindi("₹1,250 में 2.5 किलो")
    'एक हज़ार दो सौ पचास में दो दशमलव पाँच किलो'
    """
    text = unicodedata.normalize("NFC", text).translate(_DIGITS).replace("%", " प्रतिशत ")
    text = _NUMBER.sub(lambda found: f" {_number(found[0])} ", text)
    return plain_letters(normalise(_LATIN.sub(lambda found: f" {_latin(found[0])} ", text)))


def _number(figures: str) -> str:
    whole, _, part = figures.replace(",", "").partition(".")
    one_by_one = len(whole) > 1 and (whole[0] == "0" or int(whole) > _LARGEST)
    spoken = _digits(whole) if one_by_one else spoken_number(int(whole))
    return f"{spoken} दशमलव {_digits(part)}" if part else spoken


def _digits(figures: str) -> str:
    return " ".join(spoken_number(int(figure)) for figure in figures)


@cache
def _names() -> list[str]:
    lines = (DATA / "spelling.txt").read_text(encoding="utf-8").splitlines()
    return lines[-1].split()


def _latin(word: str) -> str:
    """A Latin word as English, capitals letter by letter."""
    if word.isupper() and len(word) <= 4:
        return " ".join(_names()[ord(letter) - ord("A")] for letter in word if letter.isalpha())
    return by_sound.devanagari(word, "en") or ""
