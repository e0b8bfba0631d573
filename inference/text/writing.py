"""A segment as its reader asks for it."""

from dataclasses import replace

from inference.text.numerals import text_with_numerals, with_numerals
from inference.text.punctuation import text_with_danda, with_dandas
from inference.types import Numerals, Punctuate, Segment


def written(segment: Segment, numerals: Numerals, punctuate: Punctuate) -> Segment:
    """Return the segment with numbers in digits and with dandas; where it has words, its text is made of them.

    The segment that came in stays what was said. Pauses inside a segment are only known where it has words
    (`Options.words`).
    """
    if segment.words:
        words = with_dandas(with_numerals(segment.words, numerals), punctuate)
        return replace(segment, words=words, text=" ".join(word.text for word in words))
    return replace(segment, text=text_with_danda(text_with_numerals(segment.text, numerals), punctuate))
