"""Indian languages in Hindi's letters: their scripts have one plan; a letter's place in its block says which it is.

What differs is kept by language: letters that sound otherwise than their like, stops that are voiced between vowels,
schwas that are spoken at a word's end. Bengali and Assamese spell too far from their sounds; `by_sound` writes those.
Sources: the chapters on South and Central Asia of the Unicode standard; Krishnamurti, The Dravidian Languages (2003),
2.3 on stops between vowels; Bhatia, Punjabi (1993), 3.1 on tones in place of breath.
"""

from __future__ import annotations

import re

from training.writing.text import normalise, plain_letters

NATIVE = ("hi", "mr", "ne", "kok", "mai", "bho")
"""Written in Devanagari already."""

_BLOCKS = {"pa": 0x0A00, "gu": 0x0A80, "or": 0x0B00, "ta": 0x0B80, "te": 0x0C00, "kn": 0x0C80, "ml": 0x0D00}
_VIRAMA, _NUKTA = "\u094d", "\u093c"
_CONSONANT = f"[क-ह]{_NUKTA}?"

_SPELLING: dict[str, tuple[tuple[str, str], ...]] = {
    "ta": (("ற்ற", "ட்ட"), ("ஃ", ""), ("ழ", "ர")),
    "ml": (("റ്റ", "ട്ട"), ("ൺ", "ണ്"), ("ൻ", "ന്"), ("ർ", "ര്"), ("ൽ", "ല്"), ("ൾ", "ള്"), ("ൿ", "ക്"), ("ഴ", "ര")),
    "or": (("ଯ", "ଜ"), ("ୟ", "ଯ"), ("ୱ", "ଵ")),
}
"""Changes within the language's own script, first to last."""

_VOICED = dict(zip("कटतप", "गडदब", strict=True))
_TONES = {"घ": ("क", "ग"), "झ": ("च", "ज"), "ढ": ("ट", "ड"), "ध": ("त", "द"), "भ": ("प", "ब")}
"""Punjabi's breathy stops: how they sound at a word's start, and elsewhere."""


def can_write(language: str) -> bool:
    """Whether `language` (``ta``, ``pa-IN``) is written by the places of its letters."""
    return language.split("-", maxsplit=1)[0] in (*_BLOCKS, *NATIVE)


def devanagari(text: str, language: str) -> str:
    """`text` in Hindi's letters, without punctuation, in letters that the model has.

    >>> devanagari("ਪੰਜਾਬ", "pa-IN")
    'पंजाब'
    """
    language = language.split("-", maxsplit=1)[0]
    if language not in NATIVE:
        for old, new in _SPELLING.get(language, ()):
            text = text.replace(old, new)
        text = normalise("".join(_moved(letter, _BLOCKS[language]) for letter in text))
        text = " ".join(_spoken(word, language) for word in text.split())
    return plain_letters(normalise(text))


def _moved(letter: str, block: int) -> str:
    place = ord(letter) - block
    if block == _BLOCKS["pa"] and letter in "\u0a70\u0a71":
        return "\u0902" if letter == "\u0a70" else "\u0971"  # addak: a sign that no Hindi word holds
    return chr(0x0900 + place) if 0 <= place < 0x66 else letter


def _spoken(word: str, language: str) -> str:
    if language == "pa":
        return _punjabi(word)
    if language in ("ta", "ml"):
        word = _stops(word, language)
    if language == "or":
        word = re.sub(f"({_CONSONANT})(?=[क-ह\u0902\u0901]|$)", "\\1\u0949", word)
    elif language != "gu":
        word = re.sub(f"({_CONSONANT})$", "\\1\u093e", word)
    word = re.sub("\u0902$", "म", word) if language in ("te", "kn", "ml") else word
    return word.removesuffix(_VIRAMA)


def _stops(word: str, language: str) -> str:
    """Voice single stops between vowels and after nasals; Tamil's च is s alone, j after its nasal."""
    word = re.sub(f"(?<=[^{_VIRAMA}])[कटतप](?!{_VIRAMA})", lambda found: _VOICED[found[0]], word)
    word = re.sub(f"(?<=[ङञणनम]{_VIRAMA})[कटतप]", lambda found: _VOICED[found[0]], word)
    if language == "ta":
        word = word.replace(f"ञ{_VIRAMA}च", f"ञ{_VIRAMA}ज")
        word = re.sub(f"(?<!{_VIRAMA})च(?!{_VIRAMA})", "स", word)
    return word


def _punjabi(word: str) -> str:
    word = re.sub("\u0971([क-ह])", f"\\1{_VIRAMA}\\1", word).replace("\u0971", "")
    word = word.replace(f"स{_NUKTA}", "श")
    first, rest = word[:1], word[1:]
    for breathy, (initial, elsewhere) in _TONES.items():
        first, rest = first.replace(breathy, initial), rest.replace(breathy, elsewhere)
    return first + rest
