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
from inference.audio.speech_network import PARAMETERS, SpeechNetwork, hears_features
from inference.audio.windows import Window, WindowPlanner
from inference.errors import AudioTooLong
from inference.feature_stream import FeatureStream
from inference.features import FeatureParameters, Featurizer
from inference.types import AudioLimits, Features, Float32Array, Options

_HEARD_AT_ONCE = 4.0
"""Seconds: calls of NumPy cost more than what one has to compute."""


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
    parameters: FeatureParameters = PARAMETERS,
) -> Generator[Item]:
    """Decode a file; give its windows in their order, those of several channels as they come, and an End.

    `checkpoint` is called between blocks and may raise to stop; `parameters` are those of the features that windows are
    made of. Raises any InputError, AudioTooLong at once where the file says that it is longer than
    `limits.longest_seconds` (or `limit_seconds`, where overlength is "reject"; "clip" ends there), and as soon as it
    shows where it does not; OSError where a file cannot be read.
    """
    with opened(audio) as data:
        yield from windows_of(open_recording(data, limits, checkpoint), limits, options, parameters)


def open_recording(data: Encoded, limits: AudioLimits, checkpoint: Callable[[], None] = lambda: None) -> Reading:
    """Look what a file is made of; raise AudioTooLong where it says that it is longer than is taken."""
    reading = Reading(data, limits, _most(limits), checkpoint)
    if reading.duration > _most(limits) and limits.overlength != "clip":
        raise AudioTooLong(f"{reading.duration:.0f} s; {_most(limits):g} s is the most that is taken")
    return reading


def _most(limits: AudioLimits) -> float:
    return limits.longest_seconds if limits.overlength == "window" else limits.limit_seconds


def windows_of(
    reading: Reading, limits: AudioLimits, options: Options, parameters: FeatureParameters = PARAMETERS
) -> Iterator[Item]:
    """Decode what was opened, as above."""
    mixer = Mixer(options.channels)
    hearers: list[_Hearer] = []
    for block in reading:
        mixed = mixer.take(block.samples)
        hearers = hearers or [_Hearer(limits, parameters, each) for each in mixer.heard]
        for hearer, samples in zip(hearers, mixed, strict=True):
            yield from hearer.take(samples, block.sample_rate)
    if reading.full and limits.overlength != "clip":
        raise AudioTooLong(f"longer than {_most(limits):g} s, the most that is taken")
    for hearer in hearers:
        yield from hearer.finish()
    yield End(reading.duration, reading.full, reading.warnings + mixer.warnings(), len(mixer.heard))


class _Hearer:
    """One channel, or the mix of all."""

    def __init__(self, limits: AudioLimits, parameters: FeatureParameters, channel: int | None) -> None:
        self._front_end = _FrontEnd(parameters)
        # What the detector hears is mostly what the model hears, and computed once.
        apart = limits.detect_speech and not hears_features(parameters)
        self._detectors_own = _FrontEnd(PARAMETERS) if apart else None
        self._detector: SpeechDetector = SpeechNetwork() if limits.detect_speech else EverythingIsSpeech()
        self._planner = WindowPlanner(self._front_end.featurizer, limits.window_seconds, channel)
        self._waiting = 0.0

    def take(self, samples: Float32Array, rate: int) -> tuple[Window, ...]:
        """Go on by `[frames]` at `rate` Hz."""
        self._waiting += len(samples) / rate
        self._front_end.take(samples, rate)
        if self._detectors_own:
            self._detectors_own.take(samples, rate)
        if self._waiting < _HEARD_AT_ONCE:
            return ()
        self._waiting = 0.0
        features = self._front_end.hear()
        heard = self._detectors_own.hear() if self._detectors_own else features
        return self._planner.take(features, self._detector.take(heard.log_mel))

    def finish(self) -> tuple[Window, ...]:
        """Give what is left."""
        features = self._front_end.finish()
        heard = self._detectors_own.finish() if self._detectors_own else features
        last = self._detector.take(heard.log_mel), self._detector.finish()
        return self._planner.finish(features, np.concatenate(last))


class _FrontEnd:
    """Blocks of samples at any rate → features."""

    def __init__(self, parameters: FeatureParameters) -> None:
        self.featurizer = Featurizer(parameters)
        # soxr whatever is chosen for clips: resampy knows no streams.
        self._resampling = Resampling(parameters.sample_rate)
        self._stream = FeatureStream(self.featurizer)
        self._waiting: list[Float32Array] = []

    def take(self, samples: Float32Array, rate: int) -> None:
        """Wait with them for more."""
        self._waiting.append(self._resampling.take(samples, rate))

    def hear(self) -> Features:
        """Features of what waited."""
        samples, self._waiting = np.concatenate(self._waiting), []
        return self._stream.take(samples)

    def finish(self) -> Features:
        """Features of all that is left."""
        self._waiting.append(self._resampling.finish())
        parts = self.hear(), self._stream.finish()
        log_mel = np.concatenate([part.log_mel for part in parts], axis=1)
        return Features(log_mel, np.concatenate([part.power for part in parts]))
