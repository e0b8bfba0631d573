"""Samples as they come → features as they come: those of the whole, whatever pieces it comes in."""

import numpy as np

from inference.features import Featurizer, emphasise
from inference.types import Features, Float32Array


class FeatureStream:
    """One waveform. Silence stands before its beginning and behind its end."""

    def __init__(self, featurizer: Featurizer) -> None:
        """Begin; several streams may share a featurizer."""
        self._featurizer = featurizer
        # Of frames that are not complete; a frame's window begins half of it before the frame.
        self._samples: Float32Array = np.zeros(0, np.float32)
        self._emphasised: Float32Array = np.zeros(featurizer.parameters.window_size // 2, np.float32)
        self._last = 0.0

    def take(self, samples: Float32Array) -> Features:
        """Go on by `[samples]` at the model's rate; return the frames that have become complete, often fewer."""
        parameters = self._featurizer.parameters
        emphasised = emphasise(samples, parameters.preemphasis, self._last)
        self._last = float(samples[-1]) if samples.size else self._last
        self._samples = np.concatenate([self._samples, samples])
        self._emphasised = np.concatenate([self._emphasised, emphasised])
        return self._give(max(0, (self._emphasised.size - parameters.window_size) // parameters.hop_size + 1))

    def finish(self) -> Features:
        """Return the rest; of the last hop, what is no whole one is left out."""
        rest = np.zeros(self._featurizer.parameters.window_size, np.float32)
        self._emphasised = np.concatenate([self._emphasised, rest])
        return self._give(self._samples.size // self._featurizer.parameters.hop_size)

    def _give(self, frames: int) -> Features:
        parameters = self._featurizer.parameters
        if not frames:
            return Features(np.zeros((parameters.mel_bins, 0), np.float32), np.zeros(0, np.float32))
        given = frames * parameters.hop_size
        power = self._featurizer.power(self._samples, frames)
        log_mel = self._featurizer.frames(self._emphasised, frames)
        self._samples, self._emphasised = self._samples[given:], self._emphasised[given:]
        return Features(log_mel, power)
