"""Transcripts of windows → segments of the recording: each word from the window that owns its time.

Text is never compared: what somebody says twice stands there twice, and what two windows heard stands there once.
"""

from inference.audio.windows import Window
from inference.types import Segment, Transcript


class Joiner:
    """One channel of one recording."""

    def add(self, window: Window, transcript: Transcript) -> tuple[Segment, ...]:
        """Take the next window's transcript, with words; return the segments that have become final, in their order.

        Windows come in the order in which the planner gave them, and were recognised with `Options.words`.
        """
        raise NotImplementedError

    def finish(self) -> tuple[Segment, ...]:
        """Return what waited for a next window."""
        raise NotImplementedError
