"""Numbers in words → digits: inverse text normalisation of Hindi, with and without times.

Rules of a grammar are tried from each word on that can begin a number, the first that fits wins, and what none fits
stays as it was said. What is written where follows NeMo-text-processing's Hindi cases, with the exceptions named in
docs/text.md.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from inference.text.amounts import amount
from inference.text.lexicon import IDIOMS, STARTERS, fold, longest
from inference.text.occasions import clock, date, duration, years
from inference.text.pieces import Piece
from inference.text.ranges import between, up_to
from inference.text.sequences import digit_sequence
from inference.types import Numerals, Word

_PUNCTUATION = ",.;!?।॥"
_DEVANAGARI = str.maketrans("0123456789", "०१२३४५६७८९")
_AHEAD = ("",) * 8
"""Empty words behind the last, for rules that look ahead."""
_RULES = (digit_sequence, date, years, clock, duration, between, up_to)


def with_numerals(words: Sequence[Word], numerals: Numerals) -> tuple[Word, ...]:
    """Return the words with numbers in digits: one word for each, from the start of its first to the end of its last.

    A word may then hold a space (`1 1/2`). `words` leaves everything as it is.
    """
    if numerals == "words":
        return tuple(words)
    return tuple(
        words[start] if stop == start + 1 and text == words[start].text else _joined(words[start:stop], text)
        for start, stop, text in _written([word.text for word in words], numerals)
    )


def text_with_numerals(text: str, numerals: Numerals) -> str:
    """Return the text with numbers in digits, divided and joined at white space."""
    if numerals == "words":
        return text
    return " ".join(written for _, _, written in _written(text.split(), numerals))


def _joined(words: Sequence[Word], text: str) -> Word:
    """One for several. It is right where all of them are, and they are wrong together more often than by chance."""
    confidences = [word.confidence for word in words]
    return replace(
        words[0],
        text=text,
        end=words[-1].end,
        confidence=round(math.sqrt(math.prod(confidences) * min(confidences)), 4),
        tokens=tuple(token for word in words for token in word.tokens),
    )


def _written(texts: Sequence[str], numerals: Numerals) -> Iterator[tuple[int, int, str]]:
    """Return in their order what is written, and for which words."""
    bare = [text.rstrip(_PUNCTUATION) for text in texts]
    ends = [0, *(at + 1 for at, text in enumerate(texts) if text != bare[at] or at + 1 == len(texts))]
    for first, last in pairwise(ends):
        for piece in _pieces([fold(text) for text in bare[first:last]], alone=len(ends) == 2):
            start, stop = first + piece.start, first + piece.stop
            if not piece.text and not piece.tail:
                yield from ((at, at + 1, texts[at]) for at in range(start, stop))
                continue
            number = piece.text.translate(_DEVANAGARI) if numerals == "devanagari" else piece.text
            kept = bare[stop - 1][len(bare[stop - 1]) - piece.keep :] if piece.text else bare[stop - 1]
            yield start, stop, number + kept + piece.tail + texts[stop - 1][len(bare[stop - 1]) :]


def _pieces(keys: list[str], *, alone: bool) -> Iterator[Piece]:
    """Return pieces that cover one clause; `alone` where the text has no other."""
    count, at = len(keys), 0
    keys.extend(_AHEAD)
    while at < count:
        pieces = _match(keys, at, alone=alone and at == 0) if keys[at] in STARTERS else []
        for piece in pieces or (Piece(at, at + 1),):
            if piece.start > at:
                yield Piece(at, piece.start)
            if piece.stop > piece.start:
                yield piece
            at = piece.stop


def _match(keys: list[str], at: int, *, alone: bool) -> list[Piece]:
    stop = longest(IDIOMS, keys, at)[1]
    if stop > at:
        return [Piece(at, stop)]
    for rule in _RULES:
        if pieces := rule(keys, at):
            return pieces
    return amount(keys, at, alone=alone)
