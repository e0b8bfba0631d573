"""Sinusoids that mark where a step stands: NeMo's in place of Whisper's.

Both mark a place by pairs of sine and cosine whose frequencies fall geometrically, from a fastest pair to one 10,000
times as slow. NeMo's fastest turns by 1 a step. Whisper's does too, but at 50 steps a second, which is 2 at a
Conformer's 25. So most of Whisper's pairs are, within 2 %, pairs of NeMo, if channels are put into NeMo's order; the
fastest ones NeMo lacks. They can be had by doubling the angle of slower pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_RANGE = float(np.log(10_000))


@dataclass(frozen=True)
class Places:
    """Which of Whisper's channels is which of NeMo's."""

    order: Tensor
    """Whisper's channel for each of NeMo's: `[width]`."""
    halves: tuple[int, ...]
    """For each of Whisper's pairs that NeMo lacks, fastest first, NeMo's pair of half its frequency."""

    @classmethod
    def of(cls, width: int) -> Places:
        """For streams of `width` channels."""
        half = width // 2
        wanted = np.arange(half) / (half - 1) * half  # among NeMo's pairs, at as many steps a second
        fast = int((np.round(wanted - np.log(2) / _RANGE * half) < 0).sum())
        pairs = [*range(fast, half), *range(fast)]
        order = torch.tensor([channel for pair in pairs for channel in (pair, pair + half)])
        return cls(order, tuple(int(each) for each in np.round(wanted[:fast])))

    def nemo(self, steps: int) -> Tensor:
        """What NeMo's `PositionalEncoding` adds: `[steps, width]`."""
        width = len(self.order)
        angles = torch.arange(steps)[:, None] * torch.exp(torch.arange(0, width, 2) * -(_RANGE / width))
        return torch.stack([angles.sin(), angles.cos()], 2).flatten(1)

    def whisper(self, steps: int) -> Tensor:
        """What Whisper adds, in NeMo's order, made of NeMo's pairs and of doubled ones: `[steps, width]`."""
        marks = self.nemo(steps)
        channel = marks.shape[1] - 2 * len(self.halves)
        for pair in self.halves:
            sine, cosine = marks[:, 2 * pair].clone(), marks[:, 2 * pair + 1].clone()
            marks[:, channel], marks[:, channel + 1] = 2 * sine * cosine, cosine.square() - sine.square()
            channel += 2
        return marks
