"""Hindi text as the model knows it: NFC Devanagari, no punctuation, numbers spoken out."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from training import DATA

_NOT_SPOKEN = re.compile(r"[^\u0900-\u0963\u0971-\u097f ]+")
_JOINERS = re.compile("[\u200c\u200d]")
_DEVANAGARI = re.compile(r"^[\u0900-\u0963\u0971-\u097f ]+$")

_RARE = {
    "ऎ": "ए", "ऒ": "ओ", "ॆ": "े", "ॊ": "ो", "ळ": "ल", "ऴ": "र", "ऱ": "र", "ऩ": "न", "ङ": "न", "ॲ": "ऍ", "ऌ": "ल",
    "ॠ": "रि",
    "ॡ": "ल", "ॢ": "ल", "ॣ": "ल", "ॄ": "ृ", "ॐ": "ओम", "ऽ": "", "य़": "य",
}  # fmt: skip
_SCALES = ((10_000_000, "करोड़"), (100_000, "लाख"), (1_000, "हज़ार"), (100, "सौ"))


def normalise(text: str) -> str:
    """Drop everything that is not spoken Devanagari; NFC; single spaces.

    >>> normalise("नमस्ते, दुनिया!")
    'नमस्ते दुनिया'
    """
    text = _JOINERS.sub("", unicodedata.normalize("NFC", text))
    text = _NOT_SPOKEN.sub(" ", text.replace("\u0964", " "))
    return unicodedata.normalize("NFC", " ".join(text.split()))


def plain_letters(text: str) -> str:
    """The nearest of Hindi's everyday letters for those that its texts hardly hold.

    >>> plain_letters("तमिऴ")
    'तमिर'
    """
    text = unicodedata.normalize("NFC", text)
    for rare, plain in _RARE.items():
        text = text.replace(unicodedata.normalize("NFC", rare), plain)
    return " ".join(text.split())


def is_trainable(text: str) -> bool:
    """Whether `text` is already what `normalise` would leave, and not empty."""
    return bool(text) and bool(_DEVANAGARI.match(text)) and normalise(text) == text


@cache
def _ones() -> list[str]:
    lines = (DATA / "numbers.txt").read_text(encoding="utf-8").splitlines()
    return normalise(" ".join(line for line in lines if not line.startswith("#"))).split()


def spoken_number(value: int) -> str:
    """Spell a number from 0 to 99,99,99,999 the Indian way.

    >>> spoken_number(1250)
    'एक हज़ार दो सौ पचास'
    """
    if not 0 <= value <= 999_999_999:
        raise ValueError(f"{value} is outside 0..99,99,99,999")
    if value < 100:
        return _ones()[value]
    for scale, name in _SCALES:
        if value >= scale:
            head, rest = divmod(value, scale)
            words = f"{spoken_number(head)} {normalise(name)}"
            return f"{words} {spoken_number(rest)}" if rest else words
    raise AssertionError("unreachable: the scales cover every number from 100 up")
