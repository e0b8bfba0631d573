"""Words with times → subtitles: where a cue begins and ends, and how it is broken into lines.

The limits are those of the Timed Text Style Guides for Hindi that broadcasters use: 42 characters a line, two lines,
one to seven seconds. Which words share a cue is the cheapest way of dividing all of them (dynamic programming, as in
D. Knuth, M. Plass, "Breaking Paragraphs into Lines", 1981): few cues, none short, no pause inside one.
"""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from inference.types import Transcript, Word

_LINE, _LINES = 42, 2
_SHORTEST, _LONGEST = 1.0, 7.0  # seconds
_PAUSE_COST = 4.0  # of a second's pause inside a cue, growing with its square; a cue more costs 1
_SHORT_COST = 3.0  # of each second that a cue lacks
_JOINERS = ("\u094d", "\u200d")  # virama and zero width joiner bind what follows


@dataclass(frozen=True, slots=True)
class Cue:
    """What stands on the screen at a time."""

    start: float
    """Seconds from the beginning: that of its first word."""
    end: float
    """That of its last word, or later where a reader would have less than a second and nobody else speaks."""
    lines: tuple[str, ...]
    channel: int | None = None
    """Counted from 0, where channels were transcribed apart."""


def cues_of(transcript: Transcript) -> tuple[Cue, ...]:
    """Divide a transcript that has words, `Options.words`; by time, and each channel for itself."""
    found: list[Cue] = []
    for channel in dict.fromkeys(segment.channel for segment in transcript.segments):
        words = [word for each in transcript.segments if each.channel == channel for word in each.words]
        found += _readable([replace(cue, channel=channel) for cue in _divide(words)], transcript.duration)
    return tuple(sorted(found, key=lambda cue: cue.start))


def lines_of(text: str) -> tuple[str, ...] | None:
    """Break text into lines, two of like length where one is too short; None where two are."""
    if len(text) <= _LINE:
        return (text,)
    spaces = [place for place, character in enumerate(text) if character == " "]
    fitting = [place for place in spaces if place <= _LINE and len(text) - place - 1 <= _LINE]
    if not fitting:
        return None
    place = min(fitting, key=lambda place: abs(len(text) - 1 - 2 * place))
    return text[:place], text[place + 1 :]


def _divide(words: Sequence[Word]) -> list[Cue]:
    """The cheapest division of one channel's words."""
    words = [part for word in words for part in _fitting(word)]
    best = [(0.0, 0)] + [(math.inf, 0)] * len(words)  # of the first so many words: cost, and where the last cue begins
    for end in range(1, len(words) + 1):
        for begin in range(end - 1, -1, -1):
            cost = _cost(words[begin:end])
            if cost == math.inf:
                break  # so would more words
            best[end] = min(best[end], (best[begin][0] + cost, begin))
    cues: list[Cue] = []
    end = len(words)
    while end:
        begin = best[end][1]
        text = " ".join(word.text for word in words[begin:end])
        cues.append(Cue(words[begin].start, words[end - 1].end, lines_of(text) or (text,)))
        end = begin
    return cues[::-1]


def _cost(words: Sequence[Word]) -> float:
    """Of one cue."""
    seconds = words[-1].end - words[0].start
    if len(words) > 1 and (seconds > _LONGEST or lines_of(" ".join(word.text for word in words)) is None):
        return math.inf
    pauses = (after.start - before.end for before, after in pairwise(words))
    return 1.0 + _SHORT_COST * max(0.0, _SHORTEST - seconds) + _PAUSE_COST * sum(pause**2 for pause in pauses)


def _fitting(word: Word) -> list[Word]:
    """The word, or its parts where it is longer than a line, cut between what a reader takes for letters (clusters)."""
    clusters: list[str] = []
    for character in word.text:
        binds = clusters and (unicodedata.category(character)[0] == "M" or clusters[-1].endswith(_JOINERS))
        if binds or character in _JOINERS:
            clusters[-1:] = ["".join([*clusters[-1:], character])]
        else:
            clusters.append(character)
    parts = [""]
    for cluster in clusters:
        if len(parts[-1]) + len(cluster) > _LINE:
            parts.append("")
        parts[-1] += cluster
    seconds = (word.end - word.start) / len(parts)
    times = [word.start + number * seconds for number in range(len(parts))] + [word.end]
    return [replace(word, text=part, start=times[n], end=times[n + 1]) for n, part in enumerate(parts)]


def _readable(cues: Sequence[Cue], duration: float) -> list[Cue]:
    """Let short cues stand for a second, as far as the next one and the end allow."""
    limits = [cue.start for cue in cues[1:]] + [duration]
    return [
        replace(cue, end=max(cue.end, min(cue.start + _SHORTEST, limit)))
        for cue, limit in zip(cues, limits, strict=True)
    ]
