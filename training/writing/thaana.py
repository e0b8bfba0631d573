"""Dhivehi's script, in which every vowel is written: letters → IPA.

Source: Gnanadesikan, Dhivehi: The Language of the Maldives (2017), chapter 2.
"""

from __future__ import annotations

_CONSONANTS = dict(
    zip(
        "ހށނރބޅކއވމފދތލގޏސޑޒޓޔޕޖޗޘޙޚޛޜޝޞޟޠޡޢޣޤޥ",
        "h ʂ n r b ɭ k - ʋ m f d̪ t̪ l ɡ ɲ s ɖ z ʈ j p dʒ tʃ s h x z ʒ ʃ s z t̪ z - ɡ k w".split(),  # noqa: SIM905 - pairs
        strict=True,
    )
)
_VOWELS = dict(zip("ަާިީުޫެޭޮޯ", ["ə", "aː", "i", "iː", "u", "uː", "e", "eː", "o", "oː"], strict=True))
_SILENT = "ް"
_DOUBLING = "އށ"
"""Without a vowel these double the consonant that follows."""


def phonemes(text: str) -> list[list[str]]:
    """Sounds of every word.

    >>> phonemes("ދިވެހި")
    [['d̪', 'i', 'ʋ', 'e', 'h', 'i']]
    """
    words = ("".join(letter for letter in word if "\u0780" <= letter <= "\u07b1") for word in text.split())
    return [_word(word) for word in words if word]


def _word(word: str) -> list[str]:
    sounds: list[str] = []
    for place, letter in enumerate(word):
        following = word[place + 1 : place + 2]
        if letter in _VOWELS:
            sounds.append(_VOWELS[letter])
        elif letter == _SILENT or letter not in _CONSONANTS:
            continue
        elif following == _SILENT and letter in _DOUBLING:
            after = word[place + 2 : place + 3]
            sounds.append(_CONSONANTS.get(after, "h" if letter == "ށ" else "-"))
        elif following == _SILENT and letter == "ތ":
            sounds += ["i", "t̪"]
        else:
            sounds.append(_CONSONANTS[letter])
    return [sound for sound in sounds if sound != "-"]
