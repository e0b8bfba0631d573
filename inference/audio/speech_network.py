"""The trained speech detector: a small network over log-mel features, in NumPy.

Its weights, `speech.npz`, are made by `python -m training.speech_detector`, under this project's licence; its teacher
was Silero VAD (MIT). Each layer looks at frames at fixed distances (a dilated convolution, after van den Oord et al.,
WaveNet, 2016): 2.0 s back and 0.24 s ahead in all. So it hears a recording piece by piece as it would hear it whole.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import soxr

from inference.audio.speech import STACKED
from inference.features import FeatureParameters, Featurizer
from inference.types import Float32Array, Waveform

PARAMETERS = FeatureParameters()
"""The features that it was taught on; the semantics, which are about the edges, do not matter."""
WEIGHTS = Path(__file__).parent / "speech.npz"

_ONE_THREAD = 2**18
"""Multiplications up to which OpenBLAS wakes no second thread, which would spin for longer than it works."""


@cache
class _Weights:
    """One copy for all detectors of a process."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as stored:
            self.first = stored["first"].astype(np.float32)
            self.first_bias = stored["first_bias"]
            self.layers = stored["layers"].astype(np.float32)
            self.layer_biases = stored["layer_biases"]
            self.last, self.last_bias = stored["last"], stored["last_bias"]
            self.offsets = [tuple(map(int, offsets)) for offsets in stored["offsets"]]


class SpeechNetwork:
    """Log-mel as it comes → probabilities of speech for frames of 40 ms: a `SpeechDetector`."""

    def __init__(self, weights: Path = WEIGHTS) -> None:
        self._weights = _Weights(weights)
        width = self._weights.first_bias.size
        self._log_mel: Float32Array = np.zeros((PARAMETERS.mel_bins, 0), np.float32)
        # Inputs that a layer still needs: at first those before the beginning, which are zeros.
        self._inputs = [np.zeros((-min(offsets), width), np.float32) for offsets in self._weights.offsets]

    def take(self, log_mel: Float32Array) -> Float32Array:
        """Hear `[bins, frames of 10 ms]`, as `Featurizer.log_mel` makes them, and return what has become certain."""
        log_mel = np.concatenate([self._log_mel, log_mel], axis=1) if self._log_mel.size else log_mel
        whole = log_mel.shape[1] // STACKED * STACKED
        self._log_mel = log_mel[:, whole:].copy()
        weights = self._weights
        inputs = np.ascontiguousarray(log_mel[:, :whole].T).reshape(-1, len(weights.first))
        hidden = _product(inputs, weights.first) + weights.first_bias
        return self._through_layers(np.maximum(hidden, 0, out=hidden), ended=False)

    def finish(self) -> Float32Array:
        """Return the rest, silence standing behind the end."""
        missing = -self._log_mel.shape[1] % STACKED
        heard = self.take(np.zeros((PARAMETERS.mel_bins, missing), np.float32))
        hidden = np.zeros((0, self._weights.first_bias.size), np.float32)
        return np.concatenate([heard, self._through_layers(hidden, ended=True)])

    def _through_layers(self, hidden: Float32Array, *, ended: bool) -> Float32Array:
        weights = self._weights
        for number, offsets in enumerate(weights.offsets):
            before, behind = -min(offsets), max(offsets)
            after = np.zeros((behind if ended else 0, hidden.shape[1]), np.float32)
            inputs = np.concatenate([self._inputs[number], hidden, after])
            count = max(0, len(inputs) - before - behind)
            self._inputs[number] = inputs[count:]
            seen = [inputs[before + offset : before + offset + count] for offset in offsets]
            hidden = _product(np.concatenate(seen, axis=1), weights.layers[number])
            hidden += weights.layer_biases[number]
            np.maximum(hidden, 0, out=hidden)
            hidden += inputs[before : before + count]
        logits = np.einsum("fw,w->f", hidden, weights.last) + weights.last_bias
        return np.asarray(0.5 + 0.5 * np.tanh(logits / 2), dtype=np.float32)  # the logistic function, without overflow


def _product(inputs: Float32Array, weights: Float32Array) -> Float32Array:
    """`inputs @ weights`, in pieces that NumPy hands to OpenBLAS one by one."""
    rows = _ONE_THREAD // weights.size
    whole = len(inputs) // rows * rows
    product = np.empty((len(inputs), weights.shape[1]), np.float32)
    np.matmul(
        inputs[:whole].reshape(-1, rows, len(weights)), weights, out=product[:whole].reshape(-1, rows, weights.shape[1])
    )
    np.matmul(inputs[whole:], weights, out=product[whole:])
    return product


def hears_features(parameters: FeatureParameters) -> bool:
    """Whether the network takes such features: the edges do not matter, nor what a model's are divided by later on."""
    return replace(parameters, semantics=PARAMETERS.semantics, normalisation=PARAMETERS.normalisation) == PARAMETERS


def probabilities_of_features(log_mel: Float32Array, weights: Path = WEIGHTS) -> Float32Array:
    """Those of a whole clip, given all of its features, `[bins, frames of 10 ms]`."""
    network = SpeechNetwork(weights)
    return np.concatenate([network.take(log_mel), network.finish()])


def probabilities(waveform: Waveform) -> Float32Array:
    """Those of a whole clip at any sample rate, for models whose features are others."""
    samples = waveform.samples
    if waveform.sample_rate != PARAMETERS.sample_rate:
        samples = soxr.resample(samples, waveform.sample_rate, PARAMETERS.sample_rate, quality="QQ")
    whole = np.pad(samples, (0, -samples.size % PARAMETERS.hop_size))  # every sample lies in a frame
    return probabilities_of_features(Featurizer(PARAMETERS).log_mel(whole))
