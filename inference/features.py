"""Waveform → log-mel features equal to NVIDIA NeMo's `AudioToMelSpectrogramPreprocessor`.

NeMo changed its features in release 2.5 (NVIDIA/NeMo pull request 13827): the signal is padded with
zeros instead of its own reflection, and the last, half-empty frame is no longer valid. A model must
be fed the features that it was trained on, so both semantics live here and the package says which.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from inference.spectrum import BLOCK, PowerSpectrum
from inference.types import FRAMES_A_SECOND, Features, Float32Array, Waveform

_STD_GUARD = np.float32(1e-5)  # NeMo's CONSTANT; it is added to the standard deviation, not the variance
_LOG_GUARD = np.float32(2.0**-24)
_BANDS = 4


@dataclass(frozen=True, slots=True)
class FeatureParameters:
    """NeMo's `preprocessor` section, as far as inference depends on it."""

    sample_rate: int = 16_000
    mel_bins: int = 80
    fft_size: int = 512
    window_size: int = 400
    """Samples, 25 ms."""
    hop_size: int = 160
    """Samples, 10 ms."""
    preemphasis: float = 0.97
    semantics: Literal["nemo-1", "nemo-2.5"] = "nemo-2.5"
    """`nemo-1`: every release before 2.5."""
    normalisation: Literal["per_feature", "none"] = "per_feature"
    """Each mel bin over the clip; or none, so that what is heard does not depend on what else is in the clip."""

    def __post_init__(self) -> None:
        """Raise ValueError where frames are not as far apart as those of all models."""
        if self.hop_size * FRAMES_A_SECOND != self.sample_rate:
            raise ValueError(f"hop_size is {self.hop_size} samples of {self.sample_rate} a second; 10 ms are taken")


class Featurizer:
    """Turns waveforms into features; holds the window and the filterbank, nothing else."""

    def __init__(self, parameters: FeatureParameters) -> None:
        self.parameters = parameters
        # Symmetric Hann, as torch.hann_window(periodic=False).
        window = np.hanning(parameters.window_size).astype(np.float32)
        self._power = PowerSpectrum(window, parameters.fft_size)
        # NeMo takes log(mel + guard). This is log(guard) + log(mel / guard + 1), and normalisation removes the
        # constant; without it, near silence, where the deviation is as small as the rounding of log(guard),
        # is computed sixteen times more precisely. Dividing by a power of two is exact.
        filterbank = mel_filterbank(parameters.sample_rate, parameters.fft_size, parameters.mel_bins)
        # Most of it is zero: a band of triangles needs a stretch of the frequencies, and its product stays a small one.
        self._bands = [
            _band(rows, filterbank / _LOG_GUARD) for rows in np.array_split(np.arange(len(filterbank)), _BANDS)
        ]

    def __call__(self, waveform: Waveform) -> Float32Array:
        """Compute `[mel_bins, frames]` float32, one frame every 10 ms, as the model wants them.

        `frames` is `samples // hop` (one more with `nemo-1`), and all of them are valid.
        """
        return self.finished(self.log_mel(waveform.samples))

    def features(self, samples: Float32Array) -> Features:
        """Compute those of a waveform at the model's sample rate, before `finished`."""
        count = samples.size // self.parameters.hop_size
        return Features(self.log_mel(samples), self.power(samples, count))

    def log_mel(self, samples: Float32Array) -> Float32Array:
        """Compute `[mel_bins, frames]` float32 as it is before `normalise`: `log(mel * 2**24 + 1)`."""
        parameters = self.parameters
        padded = _pad(emphasise(samples, parameters.preemphasis), parameters)
        return self.frames(padded, samples.size // parameters.hop_size + (parameters.semantics == "nemo-1"))

    def finished(self, log_mel: Float32Array) -> Float32Array:
        """What the model hears of `log_mel`: each bin of zero mean and unit variance, or NeMo's logarithms."""
        if self.parameters.normalisation == "none":
            return np.add(log_mel, np.log(_LOG_GUARD), dtype=np.float32)
        return normalise(log_mel)

    def frames(self, emphasised: Float32Array, count: int) -> Float32Array:
        """As `log_mel`, of the first `count` windows of these samples, which hold them all."""
        parameters = self.parameters
        # torch.stft centres the window in a frame of fft_size, between zeros. Zeros add nothing to the
        # sum and where they stand changes the phase alone, so cutting window_size samples is enough.
        frames = sliding_window_view(emphasised, parameters.window_size)
        frames = frames[: count * parameters.hop_size : parameters.hop_size]
        log_mel = np.empty((parameters.mel_bins, len(frames)), dtype=np.float32)
        for start in range(0, len(frames), BLOCK):
            block = slice(start, start + BLOCK)
            power = self._power(frames[block])
            for rows, frequencies, triangles in self._bands:
                log_mel[rows, block] = triangles @ power[frequencies]
        log_mel += np.float32(1)
        return np.log(log_mel, out=log_mel)

    def power(self, samples: Float32Array, count: int) -> Float32Array:
        """Mean squares of the first `count` stretches of a hop, which `samples` hold in full."""
        hop = self.parameters.hop_size
        stretches = samples[: count * hop].reshape(count, hop)
        power: Float32Array = np.einsum("fs,fs->f", stretches, stretches) / np.float32(hop)
        return power


def _band(rows: NDArray[np.intp], filterbank: Float32Array) -> tuple[slice, slice, Float32Array]:
    """Return which rows these are, which columns are not zero in them, and what stands there."""
    columns = np.flatnonzero(filterbank[rows].any(axis=0))
    used = slice(columns[0], columns[-1] + 1)
    return slice(rows[0], rows[-1] + 1), used, filterbank[rows, used]


def mel_filterbank(sample_rate: int, fft_size: int, mel_bins: int) -> Float32Array:
    """Build Slaney's triangular filters, each of unit area: `[mel_bins, fft_size // 2 + 1]` float32.

    Source: M. Slaney, Auditory Toolbox (1998), as in `librosa.filters.mel(norm="slaney", htk=False)`.
    """
    fft_frequencies = np.linspace(0, sample_rate / 2, fft_size // 2 + 1)
    edges = _mel_to_hertz(np.linspace(0, _hertz_to_mel(sample_rate / 2), mel_bins + 2))
    rising = (fft_frequencies - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - fft_frequencies) / np.diff(edges)[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    unit_area = 2 / (edges[2:] - edges[:-2])
    return np.asarray(triangles * unit_area[:, None], dtype=np.float32)


# Slaney's scale is linear up to 1 kHz (200/3 Hz a mel) and logarithmic above it.
_LINEAR_STEP = 200 / 3
_KNEE_HERTZ, _KNEE_MEL = 1000.0, 1000.0 / _LINEAR_STEP
_LOG_STEP = np.log(6.4) / 27


def _hertz_to_mel(hertz: float) -> float:
    if hertz < _KNEE_HERTZ:
        return hertz / _LINEAR_STEP
    return float(_KNEE_MEL + np.log(hertz / _KNEE_HERTZ) / _LOG_STEP)


def _mel_to_hertz(mel: np.ndarray) -> np.ndarray:
    logarithmic = _KNEE_HERTZ * np.exp(_LOG_STEP * (mel - _KNEE_MEL))
    return np.where(mel < _KNEE_MEL, mel * _LINEAR_STEP, logarithmic)


def emphasise(samples: Float32Array, share: float, before: float = 0.0) -> Float32Array:
    """Take from each sample a share of the one before it; `before` stands in front of the first."""
    emphasised = samples.copy()
    emphasised[1:] -= np.float32(share) * samples[:-1]
    emphasised[:1] -= np.float32(share * before)
    return emphasised


def _pad(samples: Float32Array, parameters: FeatureParameters) -> Float32Array:
    margin = parameters.window_size // 2
    return np.pad(samples, margin, mode="reflect" if parameters.semantics == "nemo-1" else "constant")


def normalise(log_mel: Float32Array) -> Float32Array:
    """Give each mel bin zero mean and unit variance (N-1)."""
    features: Float32Array = log_mel - log_mel.mean(axis=1, keepdims=True)
    degrees_of_freedom = max(features.shape[1] - 1, 1)
    variance = np.einsum("bt,bt->b", features, features) / np.float32(degrees_of_freedom)
    features /= (np.sqrt(variance) + _STD_GUARD)[:, None]
    return features
