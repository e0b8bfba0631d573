"""The power spectrum is that of NumPy's own transform, and lanes import none of SciPy."""

import subprocess
import sys

import numpy as np
import pytest

from inference.spectrum import PowerSpectrum


@pytest.mark.parametrize(("window", "size"), [(400, 512), (512, 512), (320, 512), (30, 30), (400, 640), (7, 13)])
def test_the_spectrum_is_that_of_numpy(window, size):
    shape = np.hanning(window + 2)[1:-1].astype(np.float32)
    frames = np.random.default_rng(0).normal(size=(5, window)).astype(np.float32)
    expected = np.abs(np.fft.rfft(frames.astype(np.float64) * shape, size)).T ** 2
    found = PowerSpectrum(shape, size)(frames)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-6 * expected.max())


def test_a_lane_imports_neither_scipy_nor_a_test_framework():
    code = "import sys, inference.worker; print([name for name in ('numpy.testing', 'scipy') if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
