"""A recording → windows that a model can hear at once: speech only, cut where nobody speaks.

Pure: features and probabilities of speech in, windows out, and little more kept than one window and what the detector
is behind. Each span of speech is a window, but a short one shares it with what is near: sentences were heard better
alone than together, words better together than alone. Where speech goes on for longer than a window, it is cut in its
longest pause, else at the quietest place of the last third, with sound from both sides of the cut in both windows;
`inference/joining.py` gives each word to one of them. Features are normalised with the silence around speech, of which
the model hears little: that costs no words, and a window with less silence in its statistics does.
"""

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from inference.audio.speech import STACKED, SpanFinder
from inference.features import Featurizer
from inference.types import FRAMES_A_SECOND, Features, Float32Array, Span

_CONTEXT = round(1.5 * FRAMES_A_SECOND)
"""Sound on the other side of a cut that a window hears too: three words; of short windows a quarter at most."""
_NEAR = round(0.6 * FRAMES_A_SECOND)
"""A short span shares a window with the next one if that is this near."""
_SHORT = round(1.5 * FRAMES_A_SECOND)
"""What is longer, with the silence around it, takes no further span."""
_MORE = 2 * FRAMES_A_SECOND
"""So much longer than a window must be known before speech is cut: it may be over soon, and fit."""
_SOFT = round(0.2 * FRAMES_A_SECOND)
"""So much of a span's end may be left out, if it is silent, where it would not fit."""
_SILENT = 0.3
"""Probability of speech below which a frame belongs to a pause: that down to which speech goes on."""
_PAUSE_FRAMES = 5
"""Least of a pause that is cut in: within words, before plosives, there are shorter ones."""
_ENVELOPE = round(0.1 * FRAMES_A_SECOND)
"""What is looked at at once for the quietest place."""
_UNHEARD_BEFORE, _UNHEARD_BEHIND = round(0.2 * FRAMES_A_SECOND), round(0.12 * FRAMES_A_SECOND)
"""Of the silence at the beginning and at the end of spans, what is there for the normalisation alone."""

CutChooser: TypeAlias = Callable[[Float32Array], int]
"""Power of the frames within which a window must be cut, `[frames]` → where, from 0 to their number."""


@dataclass(frozen=True, slots=True)
class Window:
    """What one task hears of a recording."""

    features: Features
    """At most `window_seconds` of it, context included, as the model wants them."""
    channel: int | None
    """Of which channel, counted from 0, where they are transcribed apart."""
    start: float
    """Seconds from the beginning of the recording to that of `features`."""
    owned: Span
    """The part, in seconds of the recording, that is this window's to tell; what lies around it is context.

    Those of one channel's windows follow each other without overlap, and together are all the speech. Where two
    touch, words near the border are in both windows.
    """

    @property
    def shared(self) -> bool:
        """Whether a neighbour hears a part of it too, so that words have to be divided between them."""
        return self.owned != Span(self.start, self.end)

    @property
    def end(self) -> float:
        """Seconds from the beginning of the recording to the end of `features`."""
        return (round(self.start * FRAMES_A_SECOND) + self.features.power.size) / FRAMES_A_SECOND


def quietest(power: Float32Array) -> int:
    """Return the middle of the tenth of a second with the least of it, in `[frames]`."""
    energy = np.concatenate([[0.0], np.cumsum(power, dtype=np.float64)])
    length = min(_ENVELOPE, power.size)
    return int(np.argmin(energy[length:] - energy[: energy.size - length])) + length // 2


class WindowPlanner:
    """One channel of one recording. All positions inside are frames of 10 ms from its beginning."""

    def __init__(
        self,
        featurizer: Featurizer,
        window_seconds: float = 15.0,
        channel: int | None = None,
        where_no_pause: CutChooser = quietest,
    ) -> None:
        """Plan windows of at most `window_seconds`, 3 or more, for a channel, counted from 0."""
        self._featurizer = featurizer
        self._longest = int(window_seconds * FRAMES_A_SECOND)
        self._overlap = min(_CONTEXT, self._longest // 4)
        self._channel = channel
        self._where_no_pause = where_no_pause
        self._tape = _Tape()
        self._finder = SpanFinder()
        self._spans: list[tuple[int, int]] = []  # over, and not given away yet
        self._probabilities: Float32Array = np.empty(0, dtype=np.float32)
        self._first_known = 0  # of the probabilities, each of which is for several frames
        self._given = 0  # all before it is in windows
        self._context = 0  # where a window that goes on from there may begin

    def take(self, features: Features, probabilities: Float32Array) -> tuple[Window, ...]:
        """Go on; return the windows that have become certain, in their order.

        `features`, before `Featurizer.finished`, follow those of the call before. `probabilities` `[frames]`, of
        speech, 25 a second, do likewise, and may be behind the features (`SpeechDetector.take`).
        """
        self._tape.append(features)
        self._probabilities = np.concatenate([self._probabilities, probabilities])
        self._spans += [self._in_frames(span) for span in self._finder.take(probabilities)]
        windows = self._plan(finished=False)
        self._forget()
        return windows

    def finish(self, features: Features, probabilities: Float32Array) -> tuple[Window, ...]:
        """Take the last of both and return the last windows."""
        windows = self.take(features, probabilities)
        self._spans += [self._in_frames(span) for span in self._finder.finish()]
        return windows + self._plan(finished=True)

    def _plan(self, *, finished: bool) -> tuple[Window, ...]:
        windows = []
        while group := self._group(finished=finished):
            limit = group.begin + self._longest
            if group.complete and (group.end <= limit or self._ends_softly(limit, group.end)):
                windows.append(self._give(group, min(group.end, limit), group.end, group.end))
            elif group.complete or self._known - group.begin >= self._longest + _MORE:
                windows.append(self._cut(group))
            else:
                break
        return tuple(windows)

    def _group(self, *, finished: bool) -> "_Group | None":
        """The first spans, as far as they share a window."""
        spans = self._open_spans()
        if not spans:
            return None
        start, end = spans[0]
        begin = self._context if start == self._given else start
        for next_start, next_end in spans[1:]:
            if next_start - end > _NEAR or end - begin > _SHORT:
                return _Group(begin, start, end, complete=True)
            end = next_end
        more = self._finder.speaking or (end - begin <= _SHORT and self._settled - end <= _NEAR)
        return _Group(begin, start, end, complete=finished or not more)

    def _open_spans(self) -> list[tuple[int, int]]:
        """Those of which nothing, or the beginning alone, is in windows; the last one may go on."""
        spans = list(self._spans)
        if self._finder.speaking:
            spans.append((self._settled, self._known))
        return [(max(start, self._given), end) for start, end in spans if end > self._given]

    def _cut(self, group: "_Group") -> Window:
        """Cut off a window's length."""
        limit = group.begin + self._longest
        if pause := self._longest_pause(group.begin + self._longest // 3, limit):
            cut = min((pause[0] + pause[1]) // 2, limit)
            return self._give(group, min(pause[1], cut + self._overlap, limit), cut, max(pause[0], cut - self._overlap))
        earliest = group.begin + self._longest * 2 // 3
        cut = earliest + self._where_no_pause(self._tape.read(earliest, limit - self._overlap).power)
        return self._give(group, cut + self._overlap, cut, cut - self._overlap)

    def _ends_softly(self, limit: int, end: int) -> bool:
        """Whether nobody speaks any more at the limit, and the end is near."""
        behind = self._probabilities[limit // STACKED - self._first_known :][: -(-_SOFT // STACKED)]
        return end - limit <= _SOFT and bool((behind < _SILENT).all())

    def _longest_pause(self, earliest: int, latest: int) -> tuple[int, int] | None:
        """The longest stretch of silence between speech and speech that begins there; of two alike, the later one."""
        speech = np.flatnonzero(self._probabilities >= _SILENT) + self._first_known
        pauses = [
            ((last + 1) * STACKED, first * STACKED)
            for last, first in itertools.pairwise(speech.tolist())
            if first - last > _PAUSE_FRAMES
        ]
        inside = [pause for pause in pauses if earliest <= pause[0] <= latest - _PAUSE_FRAMES * STACKED]
        return max(inside, key=lambda pause: (min(pause[1], latest) - pause[0], pause[0]), default=None)

    def _give(self, group: "_Group", end: int, cut: int, context: int) -> Window:
        """All before `cut`; hears up to `end`, and the next window, if it goes on from there, from `context`."""
        own_end = max(min(span_end, cut) for start, span_end in self._open_spans() if start < cut)
        end = end if own_end == cut else own_end
        begins_silent = group.begin == group.start > 0
        ends_silent = cut >= group.end < self._tape.end
        before = _UNHEARD_BEFORE if begins_silent else 0
        last = min(end, group.end - _UNHEARD_BEHIND) if ends_silent else end
        features = self._finished(group.begin, end, group.begin + before, last)
        owned = Span((group.start + before) / FRAMES_A_SECOND, min(own_end, last) / FRAMES_A_SECOND)
        self._given, self._context = cut, context
        return Window(features, self._channel, (group.begin + before) / FRAMES_A_SECOND, owned)

    def _finished(self, begin: int, end: int, first: int, last: int) -> Features:
        """Those from `first` to `last`, normalised from `begin` to `end`."""
        features, heard = self._tape.read(begin, end), slice(first - begin, last - begin)
        log_mel = self._featurizer.finished(features.log_mel)[:, heard]
        return Features(np.ascontiguousarray(log_mel), features.power[heard])

    def _forget(self) -> None:
        """Drop what is in windows or silent."""
        spans = self._open_spans()
        self._spans = [span for span in self._spans if span[1] > self._given]
        first = spans[0][0] if spans else self._settled
        keep = self._context if first == self._given else first
        self._tape.drop_before(keep)
        known = keep // STACKED
        self._probabilities = self._probabilities[max(0, known - self._first_known) :]
        self._first_known = max(known, self._first_known)

    def _in_frames(self, span: Span) -> tuple[int, int]:
        return round(span.start * FRAMES_A_SECOND), min(round(span.end * FRAMES_A_SECOND), self._tape.end)

    @property
    def _settled(self) -> int:
        """Before it, no other span will begin."""
        return round(self._finder.settled * FRAMES_A_SECOND)

    @property
    def _known(self) -> int:
        """Before it, the probabilities are known."""
        return min((self._first_known + self._probabilities.size) * STACKED, self._tape.end)


@dataclass(frozen=True, slots=True)
class _Group:
    """Spans that share a window."""

    begin: int
    """Of the window."""
    start: int
    """Of what it owns."""
    end: int
    complete: bool
    """Whether nothing will be added."""


class _Tape:
    """The last features."""

    def __init__(self) -> None:
        self._blocks: deque[Features] = deque()
        self._first = 0
        self.end = 0
        """Frames that have come."""

    def append(self, features: Features) -> None:
        self._blocks.append(features)
        self.end += features.power.size

    def read(self, start: int, end: int) -> Features:
        """A copy of those in between."""
        between = slice(start - self._first, end - self._first)
        log_mel = np.concatenate([block.log_mel for block in self._blocks], axis=1)[:, between]
        return Features(log_mel, np.concatenate([block.power for block in self._blocks])[between])

    def drop_before(self, position: int) -> None:
        while self._blocks and self._first + self._blocks[0].power.size <= position:
            self._first += self._blocks.popleft().power.size
