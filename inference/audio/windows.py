"""A recording → windows that a model can hear at once: speech only, cut where nobody speaks.

Pure: features and probabilities of speech in, windows out, and little more kept than one window and what the detector
is behind. Each span of speech is a window, but a short one shares it with what is near: sentences were heard better
alone than together, words better together than alone. Where speech goes on for long, it is cut in a silence; where it
goes on for longer than a window without one, in its longest pause, else at the quietest place of the last third, with
sound from both sides of the cut in both windows; `inference/joining.py` gives each word to one of them. Features are
normalised with all of the silence around speech, of which the model hears a part.
"""

from dataclasses import dataclass

import numpy as np

from inference.audio.cuts import (
    HEARD_BEFORE,
    HEARD_BEHIND,
    Cut,
    CutChooser,
    Pause,
    in_silence,
    longest,
    pauses,
    quietest,
    silent,
)
from inference.audio.speech import PADDING_FRAMES, STACKED, SpanFinder
from inference.audio.tape import FeatureTape
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
_PAUSE = 5 * STACKED
"""Least of a pause that is cut in where a window is full: within words, before plosives, there are shorter ones."""
_LONG = 3 * FRAMES_A_SECOND
"""A window that would be longer ends in a silence, from half of it on: sentences are heard better alone, and attention
costs more the longer a window is."""
_SILENCE = 8 * STACKED
"""Least of a pause whose two sides need not hear each other."""
_AROUND = PADDING_FRAMES * STACKED
"""Silence around speech that belongs to its span."""


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
        self._tape = FeatureTape()
        self._finder = SpanFinder()
        self._spans: list[tuple[int, int]] = []  # over, and not given away yet
        self._probabilities: Float32Array = np.empty(0, dtype=np.float32)
        self._first_known = 0  # of the probabilities, each of which is for several frames
        self._given = 0  # all before it is in windows
        self._next = 0, 0  # of a window that goes on from there: where it is normalised from, and heard from

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
            if silence := self._silence(group):
                windows.append(self._give(group, in_silence(silence)))
            elif group.complete and (group.end <= limit or self._ends_softly(limit, group.end)):
                windows.append(self._give(group, self._whole(group, limit)))
            elif group.complete or self._known >= limit + _MORE:
                windows.append(self._give(group, self._full(group, limit)))
            else:
                break
        return tuple(windows)

    def _group(self, *, finished: bool) -> "_Group | None":
        """The first spans, as far as they share a window."""
        spans = self._open_spans()
        if not spans:
            return None
        start, end = spans[0]
        begin = self._next[0] if start == self._given else start
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

    def _silence(self, group: "_Group") -> Pause | None:
        """Where one ends that would be long: the longest silence before that, or the next one behind."""
        most = min(_LONG, self._longest)
        half, long = group.begin + most // 2, group.begin + most
        if group.end <= long or not (group.complete or self._known >= long + _MORE):
            return None
        silences = self._pauses(half, group.begin + self._longest, _SILENCE)
        inside = [silence for silence in silences if silence[1] < group.end]
        return longest([silence for silence in inside if silence[0] <= long]) or next(iter(inside), None)

    def _whole(self, group: "_Group", limit: int) -> Cut:
        """Behind all of it, where nobody speaks."""
        unheard = _AROUND - HEARD_BEHIND if group.end < self._tape.end else 0
        end = min(group.end, limit)
        return Cut(group.end, end, min(end, group.end - unheard), (group.end, group.end))

    def _full(self, group: "_Group", limit: int) -> Cut:
        """Where somebody speaks, in a pause or where it is quietest; where it is short, both windows hear it."""
        if pause := longest(self._pauses(group.begin + self._longest // 3, limit, _PAUSE)):
            place = min((pause[0] + pause[1]) // 2, limit)
            end, context = min(pause[1], place + self._overlap, limit), max(pause[0], place - self._overlap)
        else:
            earliest = group.begin + self._longest * 2 // 3
            place = earliest + self._where_no_pause(self._tape.read(earliest, limit - self._overlap).power)
            end, context = place + self._overlap, place - self._overlap
        return Cut(place, end, end, (context, context))

    def _ends_softly(self, limit: int, end: int) -> bool:
        """Whether nobody speaks any more at the limit, and the end is near."""
        behind = self._probabilities[limit // STACKED - self._first_known :][: -(-_SOFT // STACKED)]
        return end - limit <= _SOFT and silent(behind)

    def _pauses(self, earliest: int, latest: int, least: int) -> list[Pause]:
        found = pauses(self._probabilities, self._first_known, least)
        return [(start, min(end, latest)) for start, end in found if earliest <= start <= latest - least]

    def _give(self, group: "_Group", cut: Cut) -> Window:
        """All before the cut."""
        own_end = max(min(end, cut.place) for start, end in self._open_spans() if start < cut.place)
        end = cut.end if own_end == cut.place else min(cut.end, own_end)
        last = min(cut.heard, end)
        first = self._next[1] if group.start == self._given else group.start + _AROUND - HEARD_BEFORE
        self._given, self._next = cut.place, cut.following
        owned = Span(max(group.start, first) / FRAMES_A_SECOND, min(own_end, last) / FRAMES_A_SECOND)
        features = self._finished(group.begin, end, first, last)
        return Window(features, self._channel, first / FRAMES_A_SECOND, owned)

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
        keep = self._next[0] if first == self._given else first
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
