"""A recording → windows that a model can hear at once: speech only, cut where nobody speaks.

Pure: samples and probabilities of speech in, windows out, and no more kept than one window and what the detector is
behind. Where speech goes on for longer than a window, it is cut in a pause, else at the quietest place of the last
third, with sound from both sides of the cut in both windows; `inference/joining.py` gives each word to one of them.
"""

from dataclasses import dataclass

from inference.types import Float32Array, Span, Waveform


@dataclass(frozen=True, slots=True)
class Window:
    """What one task hears of a recording."""

    waveform: Waveform
    """At most `window_seconds` of it, context included."""
    channel: int | None
    """Of which channel, counted from 0, where they are transcribed apart."""
    start: float
    """Seconds from the beginning of the recording to that of `waveform`."""
    owned: Span
    """The part, in seconds of the recording, that is this window's to tell; what lies around it is context.

    Those of one channel's windows follow each other without overlap, and together are all the speech. Where two
    touch, words near the border are in both windows.
    """

    @property
    def end(self) -> float:
        """Seconds from the beginning of the recording to the end of `waveform`."""
        return self.start + self.waveform.samples.size / self.waveform.sample_rate


class WindowPlanner:
    """One channel of one recording."""

    def __init__(self, window_seconds: float = 15.0, channel: int | None = None) -> None:
        """Plan windows of at most `window_seconds`, which is 5 or more, for a channel, counted from 0."""
        self._window_seconds = window_seconds
        self._channel = channel

    def take(self, samples: Float32Array, probabilities: Float32Array) -> tuple[Window, ...]:
        """Go on; return the windows that have become certain, in their order.

        `samples` `[samples]` at 16 kHz follow those of the call before. `probabilities` `[frames]`, of speech, 25 a
        second, do likewise, and may be behind the samples (`SpeechDetector.take`).
        """
        raise NotImplementedError

    def finish(self, probabilities: Float32Array) -> tuple[Window, ...]:
        """Take the last probabilities and return the last windows."""
        raise NotImplementedError
