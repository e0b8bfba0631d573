"""Two of SciPy's compiled routines, without the packages around them.

`scipy.fft` and `scipy.sparse` import NumPy's test framework, its Fortran compiler's front end and more on their way: a
quarter of a second and 17 MiB in every lane, for two functions. So the compiled modules are loaded by their files. They
are private to SciPy, whose version `requirements.txt` fixes; another one that lacks them fails on import.
"""

import importlib.machinery
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.types import Float32Array


def _compiled(path: str) -> Any:
    """Load the compiled module at `path`, relative to SciPy and without its suffix; raise ImportError."""
    scipy = importlib.util.find_spec("scipy")
    if scipy is None or scipy.origin is None:
        raise ImportError("scipy is not installed")
    name = path.rpartition("/")[2]
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        file = Path(scipy.origin).parent / f"{path}{suffix}"
        if file.exists():
            spec = importlib.util.spec_from_file_location(name, file)
            assert spec is not None and spec.loader is not None  # noqa: S101, PT018 # the suffix decides on the loader
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    raise ImportError(f"this version of scipy has no {path}; requirements.txt names one that has")


_pocketfft = _compiled("fft/_pocketfft/pypocketfft")
_sparsetools = _compiled("sparse/_sparsetools")
_ROWS, _FORWARD, _UNSCALED, _ONE_THREAD = (1,), True, 0, 1


def rfft(rows: Float32Array) -> NDArray[np.complex64]:
    """`scipy.fft.rfft(rows, axis=1)`: `[n, length]` → `[n, length // 2 + 1]`."""
    spectrum: NDArray[np.complex64] = _pocketfft.r2c(rows, _ROWS, _FORWARD, _UNSCALED, None, _ONE_THREAD)
    return spectrum


class SparseMatrix:
    """A matrix of few numbers, `[m, n]`, in compressed rows, as `scipy.sparse.csr_array`."""

    def __init__(self, dense: Float32Array) -> None:
        rows, columns = np.nonzero(dense)
        self._shape = dense.shape
        self._columns = columns.astype(np.int32)
        self._values = dense[rows, columns]
        self._starts = np.searchsorted(rows, np.arange(len(dense) + 1)).astype(np.int32)

    def __matmul__(self, right: Float32Array) -> Float32Array:
        """`[n, k]`, contiguous → `[m, k]`."""
        product = np.zeros((self._shape[0], right.shape[1]), dtype=np.float32)
        _sparsetools.csr_matvecs(
            *(*self._shape, right.shape[1], self._starts, self._columns, self._values),
            *(right.reshape(-1), product.reshape(-1)),
        )
        return product
