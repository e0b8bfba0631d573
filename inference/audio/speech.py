"""Where somebody speaks: probabilities of speech for frames of 40 ms, and the spans that follow from them."""

from typing import Protocol

import numpy as np

from inference.types import Float32Array, Span

FRAME_SECONDS = 0.04
STACKED = 4
"""Frames of features, 10 ms each, in one of those."""

# Speech begins where a frame is likely speech, and goes on down to less, as in Silero's own rule; music rarely reaches
# the one, and the ends of words the other.
_BEGINS, _GOES_ON = 0.6, 0.3
_LEAST_FRAMES = 4
"""Frames in a span that are likely speech; what has fewer is a click or a chord."""
PADDING_FRAMES = 8
"""On both sides of a span, for consonants too soft to be noticed; so a pause of twice as many lies inside it."""


class SpeechDetector(Protocol):
    """Hears one recording from its beginning to its end."""

    def take(self, log_mel: Float32Array) -> Float32Array:
        """Hear `[bins, frames of 10 ms]`, the next ones, and return probabilities of speech, `[frames]` within [0, 1].

        They are those of the frames that have become certain since the last call, often none: a frame is certain
        when a detector has heard as much behind it as it wants.
        """
        ...

    def finish(self) -> Float32Array:
        """Return the probabilities of all other frames; the last one may be half empty."""
        ...


class EverythingIsSpeech:
    """Takes the place of a detector where none is wanted."""

    def __init__(self) -> None:
        self._heard = 0
        self._frames = 0

    def take(self, log_mel: Float32Array) -> Float32Array:
        """Return 1 for every whole frame."""
        self._heard += log_mel.shape[1]
        return self._up_to(self._heard // STACKED)

    def finish(self) -> Float32Array:
        """Return 1 for what is left of a frame."""
        return self._up_to(-(-self._heard // STACKED))

    def _up_to(self, frames: int) -> Float32Array:
        new, self._frames = frames - self._frames, frames
        return np.ones(new, dtype=np.float32)


class SpanFinder:
    """Probabilities as they come → the spans in which somebody speaks, each as soon as it is over.

    Spans stand in their order and do not overlap. Which pieces the probabilities come in changes nothing.
    """

    def __init__(self) -> None:
        self._frame = 0
        self._began: int | None = None
        self._last = 0  # frame of speech in the span that is open
        self._spoken = 0  # frames in it that are likely speech

    @property
    def speaking(self) -> bool:
        """Whether somebody speaks now, for so long that a span will come of it."""
        return self._began is not None and self._spoken >= _LEAST_FRAMES

    @property
    def settled(self) -> float:
        """Seconds from the beginning before which no other span will begin."""
        first = self._frame if self._began is None else self._began
        return max(0, first - PADDING_FRAMES) * FRAME_SECONDS

    def take(self, probabilities: Float32Array) -> tuple[Span, ...]:
        """Go on by `[frames]` and return the spans that are over."""
        over: list[Span] = []
        for probability in probabilities.tolist():
            goes_on = self._began is not None and self._last == self._frame - 1 and probability >= _GOES_ON
            if probability >= _BEGINS or goes_on:
                if self._began is None:
                    self._began, self._spoken = self._frame, 0
                self._last = self._frame
                self._spoken += probability >= _BEGINS
            self._frame += 1
            if self._frame - 1 - self._last >= 2 * PADDING_FRAMES:
                over += self._close()
        return tuple(over)

    def finish(self) -> tuple[Span, ...]:
        """Return the span that is still open, if there is one."""
        return self._close()

    def _close(self) -> tuple[Span, ...]:
        began, self._began = self._began, None
        if began is None or self._spoken < _LEAST_FRAMES:
            return ()
        first = max(0, began - PADDING_FRAMES)
        end = min(self._frame, self._last + 1 + PADDING_FRAMES)
        return (Span(first * FRAME_SECONDS, end * FRAME_SECONDS),)


def spans(probabilities: Float32Array) -> tuple[Span, ...]:
    """Return the spans in which somebody speaks, `probabilities` being those of all frames, `[frames]`.

    The last span may end with its frame, up to 40 ms behind the end of the audio.
    """
    finder = SpanFinder()
    return (*finder.take(probabilities), *finder.finish())
