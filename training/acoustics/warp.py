"""Other vocal tracts and paces, on features: cheaper than on the waveform, and pitch stays as it is.

Source of the first: N. Jaitly, G. Hinton, "Vocal Tract Length Perturbation (VTLP) improves speech recognition", ICML
workshop 2013.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

Chance = np.random.Generator


@dataclass(frozen=True)
class Warps:
    """How often, and how far."""

    tract: float = 0.5
    """Share of clips whose spectrum is stretched."""
    tract_range: tuple[float, float] = (0.88, 1.14)
    """Place on the mel scale from which a band takes its energy, relative to its own."""
    pace: float = 0.5
    """Share of clips that are spoken at another pace, slower in one place and faster in another."""
    pace_range: tuple[float, float] = (0.82, 1.3)
    """Length of a stretch of the clip, relative to what it was."""


def take(features: Tensor, places: Tensor, axis: int) -> Tensor:
    """`features` at fractional `places` along `axis`, between their neighbours in proportion."""
    last = features.shape[axis] - 1
    places = places.clamp(0, last)
    below = places.floor().long()
    share = (places - below).reshape([-1 if dimension == axis else 1 for dimension in range(features.ndim)])
    lower = features.index_select(axis, below)
    return torch.lerp(lower, features.index_select(axis, (below + 1).clamp(max=last)), share.expand_as(lower))


def warp_tract(features: Tensor, factor: float) -> Tensor:
    """Stretch the spectrum of ``[bands, frames]`` by `factor`; above 1 all formants lie lower."""
    return take(features, torch.arange(features.shape[0]) * factor, 0)


def warp_pace(features: Tensor, factors: list[float]) -> Tensor:
    """Cut ``[bands, frames]`` into as many equal stretches as `factors`; each becomes so many times as long."""
    frames = features.shape[1]
    edges = np.linspace(0, frames, len(factors) + 1)
    moved = np.concatenate([[0.0], np.cumsum(np.diff(edges) * factors)])
    places = np.interp(np.arange(int(moved[-1])), moved, edges)
    return take(features, torch.from_numpy(places).float(), 1)


def warp(features: Tensor, chance: Chance, warps: Warps | None = None) -> Tensor:
    """One clip's ``[bands, frames]``, as another might have said it."""
    odds = warps or Warps()
    if chance.random() < odds.tract:
        features = warp_tract(features, float(chance.uniform(*odds.tract_range)))
    if chance.random() < odds.pace and features.shape[1] > 20:
        base = float(chance.uniform(*odds.pace_range))
        count = 1 + features.shape[1] // 100
        features = warp_pace(features, [base * float(chance.uniform(0.9, 1.1)) for _ in range(count)])
    return features
