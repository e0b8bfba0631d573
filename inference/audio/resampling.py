"""Samples of any rate, as they come → samples at the rate of the model."""

import importlib
import importlib.util
from typing import Any

import numpy as np
import soxr

from inference.errors import MissingDependency
from inference.types import Float32Array, Resampler, Waveform


class Resampling:
    """One channel; where the rate changes, what follows begins behind what came before."""

    def __init__(self, sample_rate: int, resampler: Resampler = "soxr") -> None:
        """Give samples at `sample_rate` Hz. resampy knows no streams: with it nothing comes before the end."""
        self._sample_rate = sample_rate
        self._resampler = resampler
        self._rate = 0
        self._stream: Any = None
        self._gathered: list[Float32Array] = []

    def take(self, samples: Float32Array, rate: int) -> Float32Array:
        """Take `[frames]` at `rate` Hz; return the `[samples]` that are done, often fewer or none."""
        before = self.finish() if rate != self._rate else None
        if rate != self._rate:
            self._rate = rate
            if rate != self._sample_rate and self._resampler == "soxr":
                self._stream = soxr.ResampleStream(rate, self._sample_rate, 1, dtype="float32", quality="HQ")
        done = self._resample(samples)
        return done if before is None or not before.size else np.concatenate([before, done])

    def finish(self) -> Float32Array:
        """Return what is left."""
        stream, self._stream, gathered, self._gathered = self._stream, None, self._gathered, []
        if stream is not None:
            left: Float32Array = stream.resample_chunk(np.zeros(0, np.float32), last=True)
            return left
        if not gathered:
            return np.zeros(0, np.float32)
        # By name, since it is optional and takes seconds to import.
        resampy = importlib.import_module("resampy")
        resampled = resampy.resample(np.concatenate(gathered), self._rate, self._sample_rate)
        return np.ascontiguousarray(resampled, dtype=np.float32)

    def _resample(self, samples: Float32Array) -> Float32Array:
        if self._stream is not None:
            done: Float32Array = self._stream.resample_chunk(np.ascontiguousarray(samples))
            return done
        if self._rate == self._sample_rate:
            return np.ascontiguousarray(samples)
        self._gathered.append(samples)
        return np.zeros(0, np.float32)


def at_rate(waveform: Waveform, sample_rate: int) -> Waveform:
    """The same sound at `sample_rate` Hz."""
    if waveform.sample_rate == sample_rate:
        return waveform
    resampled = soxr.resample(waveform.samples, waveform.sample_rate, sample_rate, quality="HQ")
    return Waveform(np.ascontiguousarray(resampled, dtype=np.float32), sample_rate)


def require_resampler(resampler: Resampler) -> None:
    """Raise MissingDependency where the library chosen is not installed."""
    if importlib.util.find_spec(resampler) is None:
        raise MissingDependency(f"the resampler '{resampler}' is not installed: pip install resampy, or choose soxr")
