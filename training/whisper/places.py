"""Whisper's channels in the order in which NeMo's sinusoids mark where a step stands.

Both mark a place by pairs of sine and cosine whose frequencies fall geometrically, from a fastest pair to one 10,000
times as slow. NeMo's fastest turns by 1 a step. Whisper's does too, but at 50 steps a second, which is 2 at a
Conformer's 25. So most of Whisper's pairs are, within 2 %, pairs of NeMo, if channels are put into NeMo's order. The
fastest, which NeMo lacks, get its slowest pairs, and Whisper learns to do without (`training.train --whisper`).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_RANGE = float(np.log(10_000))


def channel_order(width: int) -> Tensor:
    """Whisper's channel for each of NeMo's: `[width]`."""
    half = width // 2
    wanted = np.arange(half) / (half - 1) * half  # among NeMo's pairs, at as many steps a second
    fast = int((np.round(wanted - np.log(2) / _RANGE * half) < 0).sum())
    pairs = [*range(fast, half), *range(fast)]
    return torch.tensor([channel for pair in pairs for channel in (pair, pair + half)])


def sinusoids(steps: int, width: int) -> Tensor:
    """What NeMo's `PositionalEncoding` adds: `[steps, width]`."""
    angles = torch.arange(steps)[:, None] * torch.exp(torch.arange(0, width, 2) * -(_RANGE / width))
    return torch.stack([angles.sin(), angles.cos()], 2).flatten(1)
