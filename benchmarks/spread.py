"""The numbers by which many measurements are told."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

import numpy as np


@dataclass(frozen=True, slots=True)
class Spread:
    """The median over the rounds, with the first and the ninth decile."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} [{self.low:.2f}, {self.high:.2f}]"


def spread(values: Sequence[float]) -> Spread:
    """Of at least one value."""
    deciles = quantiles(values, n=10, method="inclusive") if len(values) > 1 else [*values, *values]
    return Spread(median(values), deciles[0], deciles[-1])


def ratios(numerators: Iterable[float], denominators: Iterable[float]) -> Spread:
    """Round by round, so that a machine that slows down slows both."""
    return spread([above / below for above, below in zip(numerators, denominators, strict=True)])


def percentile(values: Sequence[float], percent: float) -> float:
    """Nearest-rank percentile: a value that was really seen; NaN where there are none."""
    return float(np.percentile(values, percent, method="inverted_cdf")) if values else math.nan
