"""Word and character error rates with Vistaar's normalisation: one place for the gate, training and benchmarks.

Source of the normalisation: `evaluation.py` of AI4Bharat's Vistaar, which strips punctuation, applies the
Indic NLP Library's normaliser with its defaults (nuktas decomposed and kept) and collapses spaces. Never
Whisper's normaliser: it deletes vowel signs (arXiv 2409.02449).
Source of the intervals: M. Bisani, H. Ney, "Bootstrap estimates for confidence intervals in ASR
performance evaluation", ICASSP 2004.
"""

import string
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import jiwer
import numpy as np
from numpy.typing import NDArray

_PUNCTUATION = string.punctuation + "।॥۔॰“”„‘’‚´–—…"
_INVISIBLE = "\ufeff\ufffe\u2060\u00ad\u200c\u200d"
_DELETED = str.maketrans("", "", _PUNCTUATION + _INVISIBLE)
_CONFIDENCE = (2.5, 97.5)  # percentiles


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """Edits against a reference, over a whole test set."""

    errors: int
    """Substitutions, deletions and insertions."""
    length: int
    """Words or characters of the reference."""
    interval: tuple[float, float]
    """95 % bootstrap interval, in percent."""

    @property
    def percent(self) -> float:
        """Errors for a hundred units of the reference; infinite where only the hypothesis says anything."""
        return _percent(self.errors, self.length)


@dataclass(frozen=True, slots=True)
class Score:
    """How well a test set was transcribed."""

    utterances: int
    words: ErrorRate
    characters: ErrorRate


def normalise(text: str) -> str:
    """Drop punctuation and invisible characters, decompose nuktas, collapse spaces.

    >>> normalise("नमस्ते, दुनिया।")
    'नमस्ते दुनिया'
    """
    text = text.translate(_DELETED).replace("\u0972", "\u090f")
    # Of Devanagari, NFD decomposes the letters with nukta and nothing else, as the Indic NLP Library does.
    return " ".join(unicodedata.normalize("NFD", text).replace("\u200b", " ").split())


def score(references: Sequence[str], hypotheses: Sequence[str], resamples: int = 1_000) -> Score:
    """Score a test set; both sides are normalised here. Raises ValueError where the lengths differ or are 0."""
    if len(references) != len(hypotheses) or not references:
        raise ValueError(f"{len(references)} references and {len(hypotheses)} hypotheses cannot be compared")
    pairs = [(normalise(a), normalise(b)) for a, b in zip(references, hypotheses, strict=True)]
    words = np.array([word_errors(*pair) for pair in pairs])
    characters = np.array([character_errors(*pair) for pair in pairs])
    return Score(len(pairs), _rate(words, resamples), _rate(characters, resamples))


def word_errors(reference: str, hypothesis: str) -> tuple[int, int]:
    """Return edits and words of the reference, for two normalised texts."""
    if not reference:
        return len(hypothesis.split()), 0
    found = jiwer.process_words(reference, hypothesis)
    return found.substitutions + found.deletions + found.insertions, len(reference.split())


def character_errors(reference: str, hypothesis: str) -> tuple[int, int]:
    """Return edits and characters of the reference, spaces included as jiwer does, for two normalised texts."""
    if not reference:
        return len(hypothesis), 0
    found = jiwer.process_characters(reference, hypothesis)
    return found.substitutions + found.deletions + found.insertions, len(reference)


def _rate(counts: NDArray[np.int64], resamples: int) -> ErrorRate:
    """`counts` is `[utterances, 2]`: edits, length. Utterances are drawn with replacement, always the same way."""
    random = np.random.default_rng(0)
    drawn = counts[random.integers(0, len(counts), size=(resamples, len(counts)))].sum(axis=1)
    rates = [_percent(int(errors), int(length)) for errors, length in drawn]
    low, high = np.percentile(rates, _CONFIDENCE) if np.isfinite(rates).all() else (0.0, float("inf"))
    return ErrorRate(int(counts[:, 0].sum()), int(counts[:, 1].sum()), (float(low), float(high)))


def _percent(errors: int, length: int) -> float:
    if length:
        return 100 * errors / length
    return float("inf") if errors else 0.0
