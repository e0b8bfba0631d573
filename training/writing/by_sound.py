"""What people say in other languages, in Devanagari as it sounds: a Hindi listener's notes.

Recordings of people teach what synthesisers cannot, in whatever language; the text only has to name the sounds. Indian
scripts go letter by letter (`brahmic`), the others through espeak-ng's phonemes and the table ``data/sounds.txt``.
"""

from __future__ import annotations

import re
import subprocess
import unicodedata
from dataclasses import dataclass
from functools import cache

from training import DATA
from training.files import RecipeError
from training.utterance import require
from training.writing import brahmic
from training.writing.text import normalise, plain_letters
from training.writing.thaana import phonemes as thaana

_VIRAMA, _DOT = "\u094d", "\u0902"
_LONG = {"अ": "आ", "इ": "ई", "उ": "ऊ"}
_MATRAS = dict(zip("अआइईउऊएऐओऔऑ", ["", *"ािीुूेैोौॉ"], strict=True))
_UNWRITTEN = ("cmn", "zh", "ja", "ko", "th", "ar", "fa", "he", "ur", "yue")
"""Languages whose spelling does not tell espeak-ng how they sound."""


@dataclass(frozen=True)
class Way:
    """How one language is written by sound."""

    voice: str
    spelling: tuple[tuple[str, str], ...] = ()
    """Changes before espeak-ng reads."""
    sounds: tuple[tuple[str, str], ...] = ()
    """Whole phonemes that stand for others."""


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    if text == "-":
        return ()
    return tuple((old, new) for old, _, new in (pair.partition(">") for pair in text.split(",")))


def _rows(name: str) -> list[str]:
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@cache
def _ways() -> dict[str, Way]:
    split = (line.split(maxsplit=3) for line in _rows("languages.txt"))
    return {code: Way(voice, _pairs(spelling), _pairs(sounds)) for code, voice, spelling, sounds in split}


@cache
def _table() -> dict[str, str]:
    rows = (line.split() for line in _rows("sounds.txt"))
    return {unicodedata.normalize("NFD", row[0]): unicodedata.normalize("NFC", "".join(row[1:])) for row in rows}


def way_of(language: str) -> Way:
    """The language's own way, or that of espeak-ng's voice of its name."""
    base = language.split("-", maxsplit=1)[0]
    return _ways().get(language) or _ways().get(base) or Way(base)


def devanagari(text: str, language: str) -> str | None:
    """`text`, said in `language` (a code such as ``de`` or ``pa-IN``), by sound; none where nobody can tell.

    >>> devanagari("ਪੰਜਾਬ", "pa-IN")
    'पंजाब'
    """
    base = language.split("-", maxsplit=1)[0]
    if brahmic.can_write(language):
        return brahmic.devanagari(text, language) or None
    if base in _UNWRITTEN:
        return None
    way = way_of(language)
    words = thaana(text) if base == "dv" else _espeak(text, way)
    written = [_word(sounds, way) for sounds in words]
    return plain_letters(normalise(" ".join(word for word in written if word))) or None


def _espeak(text: str, way: Way) -> list[list[str]]:
    """Phonemes of every word, as espeak-ng writes them."""
    text = re.sub(r"[\"«»“”„*–—…_]+", " ", unicodedata.normalize("NFC", text).lower())
    for old, new in (*way.spelling, ("য\u09bc", "\u09df"), ("ড\u09bc", "\u09dc"), ("ঢ\u09bc", "\u09dd")):
        text = text.replace(old, new)  # espeak-ng's Bengali reads the letters with a dot only as one code point
    command = [require("espeak-ng", "espeak-ng"), "-q", "-v", way.voice, "--ipa", "--sep=_", "--", text]
    done = subprocess.run(command, capture_output=True, check=False, text=True)  # noqa: S603 - text after "--"
    if done.returncode:
        raise RecipeError(f"espeak-ng has no voice {way.voice!r}: {done.stderr.strip()}")
    said = re.sub(r"\([\w-]+\)", "", done.stdout)  # names of languages, where it changed to another
    return [word.split("_") for word in said.split()]


def _letters(sound: str, way: Way) -> tuple[str, bool]:
    """Devanagari of one phoneme, and whether it is nasal."""
    sound = unicodedata.normalize("NFD", sound).lstrip("ˈˌ")
    nasal = "\u0303" in sound
    sound = sound.replace("\u0303", "")
    sound = dict(way.sounds).get(sound, sound)
    table, written, last, place = _table(), "", "", 0
    while place < len(sound):
        for size in range(min(4, len(sound) - place), 0, -1):
            piece = sound[place : place + size]
            if piece in table:
                last, place = table[piece], place + size
                written += last
                break
        else:
            if sound[place] == "ː" and last not in _MATRAS:
                written += last  # a long consonant is written twice
            place += 1
    return written, nasal


def _word(sounds: list[str], way: Way) -> str:
    """Join sounds by Hindi's rules: signs after consonants, clusters with a virama, nasals before stops as a dot."""
    pieces: list[str] = []
    for sound in sounds:
        letters, nasal = _letters(sound, way)
        pieces += re.findall(f"[\u0900-\u097f]\u093c?(?:{_VIRAMA}(?=[क-ह]))?", letters)
        if nasal and pieces and pieces[-1] in _MATRAS:
            pieces.append(_DOT)
    return _spelled(pieces)


def _spelled(pieces: list[str]) -> str:
    """Independent vowels and consonants → a written word.

    >>> _spelled(["स", "अ", "न", "त", "इ"])
    'संती'
    """
    pieces = _as_hindi_has_them(pieces)
    word, waiting = "", False  # waiting: a consonant whose vowel has not come yet
    for place, piece in enumerate(pieces):
        following = pieces[place + 1] if place + 1 < len(pieces) else ""
        if piece in _MATRAS:
            word += _MATRAS[piece] if waiting else piece
            waiting = False
        elif piece == _DOT or _is_dot(piece, following, after_vowel=bool(word) and not waiting):
            word += "" if word.endswith(_DOT) else _DOT
        else:
            word += (_VIRAMA if waiting else "") + piece.replace("ङ", "न")
            waiting = not piece.endswith(_VIRAMA)
    return word


def _as_hindi_has_them(pieces: list[str]) -> list[str]:
    """Vowels twice in a row become long, i and u at the end too, y before a consonant an i; ng keeps its g."""
    found: list[str] = []
    for place, piece in enumerate(pieces):
        following = pieces[place + 1] if place + 1 < len(pieces) else ""
        after_vowel = bool(found) and found[-1] in _MATRAS
        if (after_vowel and found[-1] == _LONG.get(piece, piece)) or (after_vowel and found[-1] == piece):
            found[-1] = _LONG.get(piece, piece)
        elif piece == "य" and after_vowel and following and following not in _MATRAS:
            found.append("इ")
        elif piece == "ङ" and after_vowel and following[:1] not in ("क", "ख", "ग", "घ"):
            found += [_DOT, "ग"]
        else:
            found.append(piece)
    if len(found) > 1 and found[-1] in _LONG:
        found[-1] = _LONG[found[-1]]
    return found


def _is_dot(piece: str, following: str, *, after_vowel: bool) -> bool:
    """Whether a nasal merges with the stop after it."""
    groups = {"न": "तथदधटठडढचछजझ", "म": "पफबभ", "ङ": "कखगघ"}
    return (
        after_vowel and bool(following) and following[0] in groups.get(piece, "") and not following.endswith("\u093c")
    )
