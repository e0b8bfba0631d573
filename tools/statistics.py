"""The few numbers by which a run is told."""

import math
import random
from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """Nearest-rank percentile: a value that was really seen; NaN where there are none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    rank = max(1, math.ceil(percent / 100 * len(ordered)))
    return ordered[rank - 1]


def median(values: Sequence[float]) -> float:
    """The middle value; NaN where there are none."""
    return percentile(values, 50)


def ratio_of_sums(mine: Sequence[float], other: Sequence[float]) -> tuple[float, float, float]:
    """Sum of `mine` ÷ sum of `other`, which were measured in turns, and a 95 % bootstrap interval over the rounds."""
    rounds = list(zip(mine, other, strict=True))
    chance = random.Random(1)  # noqa: S311 - the same for the same rounds

    def ratio(drawn: Sequence[tuple[float, float]]) -> float:
        return sum(one for one, _ in drawn) / sum(two for _, two in drawn)

    ratios = [ratio(chance.choices(rounds, k=len(rounds))) for _ in range(2000)]
    return ratio(rounds), percentile(ratios, 2.5), percentile(ratios, 97.5)


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Least-squares growth of `values` per unit of `times`; 0 for fewer than two points."""
    if len(times) < 2:
        return 0.0
    middle_time = sum(times) / len(times)
    middle_value = sum(values) / len(values)
    spread = sum((time - middle_time) ** 2 for time in times)
    if not spread:
        return 0.0
    shared = sum((t - middle_time) * (v - middle_value) for t, v in zip(times, values, strict=True))
    return shared / spread
