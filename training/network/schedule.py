"""How long a run is, how fast it learns at each moment, and how much of what it hears is augmented."""

from __future__ import annotations

import math
from dataclasses import dataclass

from training.network.checkpoint import Progress


@dataclass(frozen=True)
class Plan:
    """How long, how fast, how much at once."""

    minutes: float = 100.0
    steps: int = 10**9
    """A second limit, for tiny runs."""
    peak: float = 2e-3
    """Highest learning rate."""
    warmup: int = 400
    """Steps of linear warm-up."""
    anneal: float = 0.55
    """Share of the budget over which the rate falls as half a cosine."""
    batch_seconds: float = 64.0
    short_first: tuple[float, float] = (0.04, 3.0)
    """During the first share of the budget, only clips of at most so many seconds: CTC finds its feet on them."""
    augmented: tuple[float, float, float] = (0.2, 0.8, 0.5)
    """Share of clips augmented at first, at most, and the share of the budget at which it gets there."""
    intermediate: float = 0.0
    """Share of the loss that is the middle layer's."""
    checkpoint_minutes: float = 3.0
    seed: int = 1


def learning_rate(plan: Plan, progress: Progress) -> float:
    """Warm-up by steps, plateau and cosine fall by share of the budget."""
    spent = max(progress.seconds / (plan.minutes * 60), progress.steps / plan.steps)
    rate = plan.peak * min(1.0, (progress.steps + 1) / plan.warmup)
    if spent > 1 - plan.anneal:
        rate *= 0.5 * (1 + math.cos(math.pi * min(1.0, (spent - 1 + plan.anneal) / plan.anneal)))
    return max(rate, 1e-6)


def strength(plan: Plan, spent: float) -> float:
    """Share of clips to augment: little while CTC still looks for its alignment, much once it has it."""
    first, most, when = plan.augmented
    return min(most, first + (most - first) * spent / when)
