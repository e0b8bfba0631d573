"""The few numbers by which many measurements are reported."""

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles


@dataclass(frozen=True, slots=True)
class Spread:
    """The median over rounds, with the first and the ninth decile."""

    median: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        spec = spec or ".2f"
        return f"{self.median:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"

    def __str__(self) -> str:
        return format(self)


def percentile(values: Sequence[float], percent: float) -> float:
    """Nearest-rank percentile: a value that was really seen; NaN where there are none."""
    if not values:
        return math.nan
    return sorted(values)[max(1, math.ceil(percent / 100 * len(values))) - 1]


def spread(values: Sequence[float]) -> Spread:
    """Of at least one value."""
    deciles = quantiles(values, n=10, method="inclusive") if len(values) > 1 else [*values, *values]
    return Spread(median(values), deciles[0], deciles[-1])


def ratios(numerators: Iterable[float], denominators: Iterable[float]) -> Spread:
    """Round by round, so that a machine that slows down slows both."""
    return spread([above / below for above, below in zip(numerators, denominators, strict=True)])


def ratio_of_sums(mine: Sequence[float], other: Sequence[float]) -> Spread:
    """Sum of `mine` ÷ sum of `other`, measured in turns, with a 95 % bootstrap interval (Efron) over the rounds."""
    rounds = list(zip(mine, other, strict=True))
    chance = random.Random(1)  # the same for the same rounds

    def ratio(drawn: Sequence[tuple[float, float]]) -> float:
        return sum(one for one, _ in drawn) / sum(two for _, two in drawn)

    drawn = [ratio(chance.choices(rounds, k=len(rounds))) for _ in range(2000)]
    return Spread(ratio(rounds), percentile(drawn, 2.5), percentile(drawn, 97.5))
