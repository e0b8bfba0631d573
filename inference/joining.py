"""Transcripts of windows → segments of the recording: each word from the window that owns its time.

Where two windows overlap, both were told the words there. The border between them lies where neither is inside a
word, or is so by the least, and far from the ends of both windows, where words are cut off. Text is never compared:
what somebody says twice stands there twice, and what two windows heard stands there once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from inference.audio.windows import Window
from inference.types import Segment, Span, Transcript, Word

_PAUSE = 1.0
"""Seconds of silence between two segments."""
_WIDE = 0.3
"""Seconds: a wider pause is no better a border."""
_NEAR = 0.6
"""What a border loses for each square second between it and the cut."""
_ROUNDED = 0.001


class Joiner:
    """One channel of one recording."""

    def __init__(self, *, words: bool = True) -> None:
        """Join to segments with their words or, as an option says, without."""
        self._words = words
        self._window: Window | None = None
        self._waiting: list[Word] = []

    def add(self, window: Window, transcript: Transcript) -> tuple[Segment, ...]:
        """Take the next window's transcript; return the segments that have become final, in their order.

        Windows come in the order in which the planner gave them. One that shares sound with a neighbour was recognised
        with `Options.words`, as was each whose words are wanted: raises ValueError where there is text and no words.
        """
        words = list(_heard(window, transcript, undivided=not (self._words or window.shared)))
        before, self._window = self._window, window
        final, self._waiting = self._waiting, words
        if before and before.owned.end == window.owned.start:
            overlap = Span(window.start, before.end)
            final, self._waiting = _divided(final, words, overlap, window.owned.start)
        return self._segments(final, before)

    def finish(self) -> tuple[Segment, ...]:
        """Return what waited for a next window."""
        final, self._waiting = self._waiting, []
        return self._segments(final, self._window)

    def _segments(self, words: list[Word], window: Window | None) -> tuple[Segment, ...]:
        parts: list[list[Word]] = []
        for word in words:
            if parts and word.start - parts[-1][-1].end < _PAUSE:
                parts[-1].append(word)
            else:
                parts.append([word])
        channel = window.channel if window else None
        return tuple(
            Segment(
                " ".join(word.text for word in part),
                part[0].start,
                part[-1].end,
                tuple(part) if self._words else (),
                channel,
            )
            for part in parts
        )


def _heard(window: Window, transcript: Transcript, *, undivided: bool) -> Iterator[Word]:
    """The words at the recording's times; a text whose words nobody asks for goes as one."""
    for segment in transcript.segments:
        if segment.text and not segment.words and not undivided:
            raise ValueError("a window's transcript has text and no words: it was recognised without Options.words")
        whole = (Word(segment.text, segment.start, segment.end),) if segment.text else ()
        for word in segment.words or whole:
            start, end = round(window.start + word.start, 3), round(window.start + word.end, 3)
            yield replace(word, start=start, end=end)


@dataclass(frozen=True, slots=True)
class _Gap:
    """Between two words of one window, or at its end."""

    index: int
    """Of the word behind it."""
    start: float
    end: float


def _gaps(words: Sequence[Word], overlap: Span) -> Iterator[_Gap]:
    """Those that touch the overlap."""
    edges = [overlap.start, *(word.end for word in words)], [*(word.start for word in words), overlap.end]
    for index, (start, end) in enumerate(zip(*edges, strict=True)):
        if start <= overlap.end + _ROUNDED and end >= overlap.start - _ROUNDED:
            yield _Gap(index, max(start, overlap.start), min(end, overlap.end))


def _divided(before: list[Word], after: list[Word], overlap: Span, cut: float) -> tuple[list[Word], list[Word]]:
    """The words of two windows, each on one side of the best border alone."""
    pairs = product(_gaps(before, overlap), _gaps(after, overlap))
    left, right = max(pairs, key=lambda pair: _worth(pair[0], pair[1], cut), default=(None, None))
    if left is None or right is None:  # they touch in silence and share no sound
        return before, after
    kept, rest = before[: left.index], after[right.index :]
    if kept and rest and rest[0].start < kept[-1].end:
        border = max(round((rest[0].start + kept[-1].end) / 2, 3), kept[-1].start)
        kept[-1] = replace(kept[-1], end=border)
        rest = [replace(word, start=max(word.start, border), end=max(word.end, border)) for word in rest]
    return kept, rest


def _worth(left: _Gap, right: _Gap, cut: float) -> float:
    """Seconds that two gaps have in common, or less than none for what lies between them, and less far from the cut."""
    start, end = max(left.start, right.start), min(left.end, right.end)
    common = min(end - start, _WIDE)
    border = (start + end) / 2 if end < start else min(max(cut, start), end)
    return common - _NEAR * (border - cut) ** 2
