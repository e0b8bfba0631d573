"""Until when a request is to be answered; nothing else computes that."""

import time
from dataclasses import dataclass, field

_SHARE = 0.5  # of audio beyond a window: lanes that are slower than twice as fast as speech are no use for recordings


@dataclass(frozen=True, slots=True)
class Deadline:
    """Grows with the audio, as far as its client waits so long."""

    patience: float
    """Seconds that the client waits by its own word; infinite where it says none."""
    timeout: float
    """Seconds within which a clip is answered."""
    window: float
    """Seconds of audio that are no more than a clip."""
    began: float = field(default_factory=time.monotonic)
    """`time.monotonic()` at which the request was there."""

    def at(self, audio_seconds: float) -> float:
        """`time.monotonic()` by which a request with so much audio is to be answered."""
        return self.began + self.seconds(audio_seconds)

    def seconds(self, audio_seconds: float) -> float:
        """How long it may take from the beginning."""
        return min(self.patience, self.timeout + _SHARE * max(0.0, audio_seconds - self.window))
