"""The power spectrum of many windows at once, by NumPy alone.

`numpy.fft` transforms one row after the other, a number at a time. Here the two stages of a Cooley-Tukey transform are
matrix products, which BLAS computes in vector registers.
"""

import math

import numpy as np
from numpy.typing import NDArray

from inference.types import Float32Array

BLOCK = 64
"""The most windows to give at once. They stay in the processor's cache, and products as small as this OpenBLAS computes
without threads of its own, which would spin for a while and take the processors away from ONNX Runtime."""


class PowerSpectrum:
    """Holds the window and the matrices of a discrete Fourier transform of `size` samples.

    Source: J. W. Cooley, J. W. Tukey, An algorithm for the machine calculation of complex Fourier series (1965): with
    size = rows · columns, sample = columns · i + j and frequency = p + rows · q, first a transform over i for each j,
    then one over j for each p. Samples are real, so p need not go beyond half of the rows.
    """

    def __init__(self, window: Float32Array, size: int) -> None:
        rows = min(divisor for divisor in range(math.isqrt(size), size + 1) if size % divisor == 0)
        columns = size // rows
        p, j = np.arange(rows // 2 + 1), np.arange(columns)
        i = np.arange(math.ceil(len(window) / columns))  # what lies behind the window is zero
        first = _turns(np.outer(p, i) / rows)
        second = _turns((p[:, None] + rows * j)[:, :, None] * j / size)
        self._first = np.concatenate([first.real, first.imag]).astype(np.float32)
        self._second = np.block([[second.real, -second.imag], [second.imag, second.real]]).astype(np.float32)
        self._window = np.zeros((len(i) * columns, 1), dtype=np.float32)
        self._window[: len(window), 0] = window
        self._columns = columns
        frequency = np.arange(size // 2 + 1)
        mirrored = np.where(frequency % rows <= rows // 2, frequency, size - frequency)
        self._places = mirrored % rows * columns + mirrored // rows

    def __call__(self, frames: Float32Array) -> Float32Array:
        """Squares of the magnitudes: `[n, window]` → `[size // 2 + 1, n]`."""
        count, length = frames.shape
        windowed = np.zeros((len(self._window), count), dtype=np.float32)
        np.multiply(frames.T, self._window[:length], out=windowed[:length])
        samples = windowed.reshape(-1, self._columns, count)
        halves = self._first @ samples.transpose(1, 0, 2)  # [columns, real p and imaginary p, n]
        halves = halves.reshape(self._columns, 2, -1, count).transpose(2, 1, 0, 3)
        spectrum = self._second @ halves.reshape(len(self._second), -1, count)
        np.square(spectrum, out=spectrum)
        power = spectrum[:, : self._columns] + spectrum[:, self._columns :]
        in_order: Float32Array = power.reshape(-1, count)[self._places]
        return in_order


def _turns(turns: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Points on the unit circle, so many turns clockwise."""
    points: NDArray[np.complex128] = np.exp(-2j * np.pi * turns)
    return points
