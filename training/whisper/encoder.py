"""The encoder of Whisper, which has heard people, in a form that a Conformer can be made of (`training.transplant`).

It differs from OpenAI's in what a Conformer cannot have: it hears NeMo's features instead of its own, gives 25 steps a
second instead of 50, and marks places by NeMo's sinusoids (`training.whisper.places`), all channels in NeMo's order. It
takes the place of a Conformer in an `EncDecCTCModelBPE` and learns to spell there (`training.train --whisper`), and
with that to do without what it lacks. Architecture: Radford et al., 2022, arXiv:2212.04356.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from export.configuration import Shape
from inference.features import FeatureParameters, mel_filterbank
from training.network.model import HEAD, build
from training.whisper.places import channel_order, sinusoids

SILENCE = float(np.log(2.0**-24))
"""NeMo's feature of nothing at all."""
_FEATURES = FeatureParameters()
_LONGEST = 1500
"""Steps: a minute."""


@dataclass(frozen=True)
class Streams:
    """What one block makes of what it hears."""

    query_key_value: Tensor
    """`[clips, steps, 3 width]`, before the heads are parted."""
    attended: Tensor
    """What was heard and what attention adds to it: `[clips, steps, width]`."""
    hidden: Tensor
    """Of the feed-forward, before its activation: `[clips, steps, neurons]`."""
    after: Tensor
    """`[clips, steps, width]`."""


class Block(nn.Module):  # type: ignore[misc]
    """Attention, then four neurons a channel."""

    def __init__(self, width: int) -> None:
        """With weights by chance."""
        super().__init__()
        self.norm_attention, self.norm_feed_forward = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.first, self.second = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor, heeded: Tensor | None = None) -> Streams:
        """`x`: `[clips, steps, width]`; `heeded`: which steps are no padding, `[clips, 1, 1, steps]`."""
        both = self.query_key_value(self.norm_attention(x))
        query, key, value = both.unflatten(2, (3, -1, HEAD)).permute(2, 0, 3, 1, 4)
        heard = functional.scaled_dot_product_attention(query, key, value, attn_mask=heeded)
        attended = x + self.out(heard.transpose(1, 2).flatten(2))
        hidden = self.first(self.norm_feed_forward(attended))
        return Streams(both, attended, hidden, attended + self.second(functional.gelu(hidden)))


class WhisperEncoder(nn.Module):  # type: ignore[misc]
    """In place of NeMo's `ConformerEncoder`."""

    def __init__(self, width: int, blocks: int) -> None:
        """With weights by chance; `load` has Whisper's."""
        super().__init__()
        self.d_model = width
        self.conv1 = nn.Conv1d(_FEATURES.mel_bins, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        for convolution in (self.conv1, self.conv2):
            convolution.requires_grad_(requires_grad=False)  # what the Conformer's subsampling is taught to give
        self.layers = nn.ModuleList(Block(width) for _ in range(blocks))
        self.norm_out = nn.LayerNorm(width)
        self.register_buffer("places", sinusoids(_LONGEST, width), persistent=False)
        self.register_buffer("emphasis", _emphasis(), persistent=False)

    def stem(self, features: Tensor) -> Tensor:
        """What the blocks begin with, less the places: `[clips, steps, width]`, of `[clips, 80, frames]`."""
        levels = (features / float(np.log(10)) + self.emphasis + 4) / 4  # as Whisper scales them
        x = functional.gelu(self.conv2(functional.gelu(self.conv1(levels))))
        return functional.avg_pool1d(x, 2).transpose(1, 2)

    def forward(self, audio_signal: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
        """Plain features `[clips, 80, frames]` and their lengths → `[clips, width, steps]` and theirs."""
        frames = torch.arange(audio_signal.shape[2], device=length.device) < length[:, None]
        x = self.stem(torch.where(frames[:, None], audio_signal, SILENCE))
        steps = (length + 1) // 2 // 2
        x = x + self.places[: x.shape[1]]
        heeded = (torch.arange(x.shape[1], device=length.device) < steps[:, None])[:, None, None]
        for layer in self.layers:
            x = layer(x, heeded).after
        return self.norm_out(x).transpose(1, 2), steps


def _emphasis() -> Tensor:
    """What each band loses by NeMo's pre-emphasis, and by a longer transform, in tenfolds of power: `[80, 1]`."""
    size = _FEATURES.fft_size
    bank = mel_filterbank(_FEATURES.sample_rate, size, _FEATURES.mel_bins)
    angles = 2 * np.pi * np.arange(bank.shape[1]) / size
    gains = 1 + _FEATURES.preemphasis**2 - 2 * _FEATURES.preemphasis * np.cos(angles)
    lost = -np.log10(bank @ gains / bank.sum(1)) + np.log10(_FEATURES.window_size / size)
    return torch.from_numpy(lost[:, None].astype(np.float32))


def in_nemo_s_order(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Parameters of a `WhisperEncoder`, of Whisper's weights as `encoder_weights` reads them."""
    order = channel_order(weights["conv2/weight"].shape[0])
    state = {f"conv1.{kind}": weights[f"conv1/{kind}"] for kind in ("weight", "bias")}
    state |= {f"conv2.{kind}": weights[f"conv2/{kind}"][order] for kind in ("weight", "bias")}
    norms, heard, given = {"norm_out": "layer_norm"}, dict[str, str](), dict[str, str]()
    for number in range(_blocks(weights)):
        own, other = f"layers.{number}", f"layer_{number}"
        norms |= {f"{own}.norm_attention": f"{other}/self_attention/layer_norm"}
        norms |= {f"{own}.norm_feed_forward": f"{other}/ffn/layer_norm"}
        heard |= {f"{own}.query_key_value": f"{other}/self_attention/linear_0", f"{own}.first": f"{other}/ffn/linear_0"}
        given |= {f"{own}.out": f"{other}/self_attention/linear_1", f"{own}.second": f"{other}/ffn/linear_1"}
    for own, other in norms.items():
        state |= {f"{own}.weight": weights[f"{other}/gamma"][order], f"{own}.bias": weights[f"{other}/beta"][order]}
    for own, other in heard.items():
        state |= {f"{own}.weight": weights[f"{other}/weight"][:, order], f"{own}.bias": weights[f"{other}/bias"]}
    for own, other in given.items():
        state |= {f"{own}.weight": weights[f"{other}/weight"][order], f"{own}.bias": weights[f"{other}/bias"][order]}
    return state


def _blocks(weights: dict[str, Tensor]) -> int:
    return len({name.split("/")[0] for name in weights if "/self_attention/" in name})


def whisper_of(state: dict[str, Tensor], tokenizer: Path) -> Any:
    """An `EncDecCTCModelBPE` with a `WhisperEncoder` of the size of `state`, and whatever parameters that has."""
    own = {name.removeprefix("encoder."): value for name, value in state.items() if name.startswith("encoder.")}
    width = own["norm_out.weight"].shape[0]
    blocks = 1 + max(int(name.split(".")[1]) for name in own if name.startswith("layers."))
    model = build(Shape(width, 1, width // HEAD, 9, subsampling_channels=1, normalisation="NA"), tokenizer)
    model.encoder = WhisperEncoder(width, blocks)  # in place of a small Conformer
    model.load_state_dict({**model.state_dict(), **state})
    return model
