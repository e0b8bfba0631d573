"""A file of any length → the windows of it in which somebody speaks, as they come, in bounded memory."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from inference.audio.channels import Mixer
from inference.audio.containers import Encoded, opened
from inference.audio.reading import Reading
from inference.audio.resampling import Resampling
from inference.audio.speech import EverythingIsSpeech, SpeechDetector
from inference.audio.speech_network import TrainedDetector
from inference.audio.windows import Window, WindowPlanner
from inference.errors import AudioTooLong
from inference.types import AudioLimits, Float32Array, Options

SAMPLE_RATE = 16_000
"""Hz, of all windows: what the detector hears, and the models."""
_HEARD_AT_ONCE = 4 * SAMPLE_RATE
"""Samples: calls of NumPy cost more than what a second has to compute."""


@dataclass(frozen=True, slots=True)
class End:
    """What is known of a recording once all of it was decoded."""

    duration: float
    """Seconds in the file: counted, or as it says where only the beginning was decoded."""
    clipped: bool
    """Whether only the beginning was decoded."""
    warnings: tuple[str, ...] = ()
    """What a user should know about the file, as sentences."""
    channels: int = 1
    """Heard apart; 1 for a mix."""


Item: TypeAlias = Window | End


def read_windows(
    audio: bytes | Path,
    limits: AudioLimits,
    options: Options,
    checkpoint: Callable[[], None] = lambda: None,
) -> Generator[Item]:
    """Decode a file; give its windows in their order, those of several channels as they come, and an End.

    `checkpoint` is called between blocks and may raise to stop. Raises any InputError, AudioTooLong at once where the
    file says that it is longer than `limits.longest_seconds` (or `limit_seconds`, where overlength is "reject"; "clip"
    ends there), and as soon as it shows where it does not; OSError where a file cannot be read.
    """
    with opened(audio) as data:
        yield from windows_of(open_recording(data, limits, checkpoint), limits, options)


def open_recording(data: Encoded, limits: AudioLimits, checkpoint: Callable[[], None] = lambda: None) -> Reading:
    """Look what a file is made of; raise AudioTooLong where it says that it is longer than is taken."""
    reading = Reading(data, limits, _most(limits), checkpoint)
    if reading.duration > _most(limits) and limits.overlength != "clip":
        raise AudioTooLong(f"{reading.duration:.0f} s; {_most(limits):g} s is the most that is taken")
    return reading


def _most(limits: AudioLimits) -> float:
    return limits.longest_seconds if limits.overlength == "window" else limits.limit_seconds


def windows_of(reading: Reading, limits: AudioLimits, options: Options) -> Iterator[Item]:
    """Decode what was opened, as above."""
    mixer = Mixer(options.channels)
    hearers: list[_Hearer] = []
    for block in reading:
        mixed = mixer.take(block.samples)
        hearers = hearers or [_Hearer(limits, each) for each in mixer.heard]
        for hearer, samples in zip(hearers, mixed, strict=True):
            yield from hearer.take(samples, block.sample_rate)
    if reading.full and limits.overlength != "clip":
        raise AudioTooLong(f"longer than {_most(limits):g} s, the most that is taken")
    for hearer in hearers:
        yield from hearer.finish()
    yield End(reading.duration, reading.full, reading.warnings + mixer.warnings(), len(mixer.heard))


class _Hearer:
    """One channel, or the mix of all."""

    def __init__(self, limits: AudioLimits, channel: int | None) -> None:
        # soxr whatever is chosen for clips: resampy knows no streams.
        self._resampling = Resampling(SAMPLE_RATE)
        self._detector: SpeechDetector = TrainedDetector() if limits.detect_speech else EverythingIsSpeech()
        self._planner = WindowPlanner(limits.window_seconds, channel)
        self._waiting: list[Float32Array] = []

    def take(self, samples: Float32Array, rate: int) -> tuple[Window, ...]:
        """Go on by `[frames]` at `rate` Hz."""
        self._waiting.append(self._resampling.take(samples, rate))
        return self._hear() if sum(map(len, self._waiting)) >= _HEARD_AT_ONCE else ()

    def finish(self) -> tuple[Window, ...]:
        """Give what is left."""
        self._waiting.append(self._resampling.finish())
        return self._hear() + self._planner.finish(self._detector.finish())

    def _hear(self) -> tuple[Window, ...]:
        samples, self._waiting = np.concatenate(self._waiting), []
        return self._planner.take(samples, self._detector.take(samples))
