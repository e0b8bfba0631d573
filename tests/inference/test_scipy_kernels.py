"""SciPy's compiled routines give what its public functions give, and bring nothing else along."""

import subprocess
import sys

import numpy as np
import scipy.fft
import scipy.sparse

from inference.scipy_kernels import SparseMatrix, rfft


def test_the_transform_is_that_of_scipy():
    rows = np.random.default_rng(0).normal(size=(100, 512)).astype(np.float32)
    np.testing.assert_array_equal(rfft(rows), scipy.fft.rfft(rows, axis=1))


def test_the_product_is_that_of_scipy():
    random = np.random.default_rng(0)
    left = np.where(random.random((20, 30)) < 0.1, random.normal(size=(20, 30)), 0).astype(np.float32)
    left[[0, 7, 19]] = 0  # rows that hold nothing
    right = random.normal(size=(30, 11)).astype(np.float32)
    np.testing.assert_array_equal(SparseMatrix(left) @ right, scipy.sparse.csr_array(left) @ right)


def test_a_lane_imports_no_test_framework():
    code = (
        "import sys, inference.worker; print([name for name in ('numpy.testing', 'scipy.fft') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
