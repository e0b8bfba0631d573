"""Aligned tokens and the sound itself → when each word began and ended.

A token's step says where the model was sure of it, some hundredths of a second within the sound. Where it is quiet
between two words, the first ends and the second begins at the edges of the pause; where they run into each other,
the border lies a little after the second one's first step begins. Steps are 40 ms long and energy is looked at every
10 ms. The numbers below were chosen on sentences whose synthesiser told the times of its sounds, and on words spoken
one by one and joined.
"""

from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np

from inference.decoding.alignment import AlignedToken
from inference.types import FRAMES_A_SECOND, Features, Float32Array, Span, Word

_LEAST_PAUSE = 3
"""Frames; shorter silence belongs to a plosive."""
_BELOW_SPEECH = 42.0
"""A pause is so many decibels softer than the words on both sides, or nearly as soft as it gets between them."""
_ABOVE_FLOOR = 6.0
_LEAST_CONTRAST = 10.0
"""Decibels between words and what is taken for a pause beside them."""
_ONSET = 0.02
"""Seconds from the beginning of a word's first step to where the word begins, where no pause tells."""
_GAP = 0.04
"""Seconds between words that run into each other."""
_LEAD = 0.4
"""Most seconds of a word before its first token, or behind its last."""


def word_times(
    words: list[str], tokens: tuple[AlignedToken, ...], features: Features, step_seconds: float
) -> tuple[Word, ...]:
    """Return all words with their times, of which each begins where the one before has ended, or later.

    Where `tokens` is empty, since the text could not be aligned, the words share the time by their letters.
    """
    duration = features.seconds
    if not words:
        return ()
    spans = _spans(tokens, features, step_seconds) if tokens else _shares(words, duration)
    timed, before = [], 0.0
    for word, span in zip(words, spans, strict=True):
        start = min(max(round(span.start, 3), before), duration)
        before = min(max(round(span.end, 3), start), duration)
        timed.append(Word(word, start, before))
    return tuple(timed)


def text_span(tokens: tuple[AlignedToken, ...], features: Features, step_seconds: float) -> Span:
    """Return when the first word of `tokens`, of which there is one at least, began, and when the last one ended."""
    energy, half = _energy(features), step_seconds / 2
    words = [list(group) for _, group in groupby(tokens, key=lambda token: token.word)]
    start = max(0.0, _start(_said(words[0], energy, step_seconds), energy, half))
    end = min(_end(_said(words[-1], energy, step_seconds), energy), features.seconds)
    return Span(round(start, 3), round(max(start, end), 3))


def _shares(words: list[str], duration: float) -> list[Span]:
    """The time divided by letters."""
    places = np.cumsum([0, *map(len, words)])
    return [Span(start, end) for start, end in pairwise((places * duration / places[-1]).tolist())]


@dataclass(frozen=True, slots=True)
class _Said:
    """The tokens of a word, in seconds."""

    first: float
    """Middle of the first step."""
    last: float
    loudness: float
    """Decibels, where it is loudest."""


def _spans(tokens: tuple[AlignedToken, ...], features: Features, step_seconds: float) -> list[Span]:
    energy, half = _energy(features), step_seconds / 2
    said = [_said(list(group), energy, step_seconds) for _, group in groupby(tokens, key=lambda token: token.word)]
    starts, ends = [_start(said[0], energy, half)], []
    for word, following in pairwise(said):
        pause = _pause(energy, word.last, following.first + half, min(word.loudness, following.loudness))
        border = following.first - half + _ONSET
        end, start = pause or (max(min(border, word.last + half), border - _GAP), border)
        ends.append(min(end, word.last + _LEAD))
        starts.append(max(start, following.first - _LEAD))
    ends.append(_end(said[-1], energy))
    return [Span(start, end) for start, end in zip(starts, ends, strict=True)]


def _said(tokens: list[AlignedToken], energy: Float32Array, step_seconds: float) -> _Said:
    # The middle of step 0 is the middle of frame 0, which is the beginning of the sound: both look to either side.
    first, last = tokens[0].first * step_seconds, tokens[-1].last * step_seconds
    around = energy[_frame(first - 0.02, energy.size - 1) : _frame(last + 0.02, energy.size) + 1]
    return _Said(first, last, float(around.max()))


def _start(word: _Said, energy: Float32Array, half: float) -> float:
    """Of the first word."""
    pause = _pause(energy, word.first - 0.6, word.first + half, word.loudness)
    return max(pause[1] if pause else word.first - half, word.first - _LEAD)


def _end(word: _Said, energy: Float32Array) -> float:
    """Of the last word."""
    pause = _pause(energy, word.last, energy.size / FRAMES_A_SECOND, word.loudness)
    return min(pause[0] if pause else np.inf, word.last + _LEAD)


def _pause(energy: Float32Array, start: float, end: float, loudness: float) -> tuple[float, float] | None:
    """The longest silence in between, beside words so loud."""
    first = _frame(start, energy.size)
    between = energy[first : _frame(end, energy.size)]
    if not between.size:
        return None
    limit = max(loudness - _BELOW_SPEECH, float(between.min()) + _ABOVE_FLOOR)
    if limit > loudness - _LEAST_CONTRAST:
        return None
    edges = np.flatnonzero(np.diff(between < limit, prepend=False, append=False)).reshape(-1, 2)
    longest = edges[np.argmax(edges[:, 1] - edges[:, 0])] + first
    if longest[1] - longest[0] < _LEAST_PAUSE:
        return None
    return float(longest[0]) / FRAMES_A_SECOND, float(longest[1]) / FRAMES_A_SECOND


def _frame(seconds: float, most: int) -> int:
    return min(max(round(seconds * FRAMES_A_SECOND), 0), most)


def _energy(features: Features) -> Float32Array:
    """`[frames]` in decibels, each the mean of three."""
    smooth = np.convolve(np.pad(features.power, 1, mode="edge"), np.full(3, 1 / 3, dtype=np.float32), mode="valid")
    decibels: Float32Array = 10 * np.log10(smooth + np.float32(1e-10))
    return decibels
