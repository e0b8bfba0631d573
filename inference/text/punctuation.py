"""Pauses → dandas: where a sentence has ended, as far as silence says so."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from inference.types import Punctuate, Word

DANDA = "।"
PAUSE_SECONDS = 0.5
"""A pause of so many seconds ends a sentence."""
_ENDS = (DANDA, "॥", ".", "?", "!")


def with_dandas(words: Sequence[Word], punctuate: Punctuate) -> tuple[Word, ...]:
    """Return the words of a segment with a danda behind the last, and behind each that a pause follows.

    Times stay. Without words there is no danda, nor a second one behind a sentence's end.
    """
    if punctuate == "none" or not words:
        return tuple(words)
    pauses = [after.start - before.end >= PAUSE_SECONDS for before, after in pairwise(words)]
    return tuple(_ended(word) if ends else word for word, ends in zip(words, [*pauses, True], strict=True))


def text_with_danda(text: str, punctuate: Punctuate) -> str:
    """Return the text of a segment without times with a danda at its end."""
    return _with_danda(text) if punctuate == "pauses" and text.strip() else text


def _ended(word: Word) -> Word:
    return replace(word, text=_with_danda(word.text))


def _with_danda(text: str) -> str:
    text = text.rstrip()
    return text if text.endswith(_ENDS) else text.rstrip(",;") + DANDA
