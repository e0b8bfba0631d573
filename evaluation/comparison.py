"""By how much one way to transcribe is worse than another on the same clips, and how much of that chance explains.

Source: M. Bisani, H. Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation", ICASSP 2004,
section 4: clips are drawn with replacement, and each brings what both ways made of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from evaluation.scoring import normalise, word_errors

Counts: TypeAlias = NDArray[np.int64]
"""`[clips, 2]`: wrong words of each clip, and words of its reference."""
_LEAST = 2.5  # percentile
_RESAMPLES = 1_000


@dataclass(frozen=True, slots=True)
class Rise:
    """Of WER, in points; negative where the second way is better."""

    points: float
    least: float
    """Lower end of its 95 % interval: what is beyond doubt."""


def word_counts(references: Sequence[str], hypotheses: Sequence[str]) -> Counts:
    """Count each clip's errors by `evaluation.scoring`."""
    pairs = zip(references, hypotheses, strict=True)
    return np.array([word_errors(normalise(said), normalise(heard)) for said, heard in pairs], np.int64).reshape(-1, 2)


def rise(before: Counts, after: Counts) -> Rise:
    """Compare two ways on the same clips, in the same order; clips without any word count by what was heard in them.

    Raises ValueError where these cannot be the same clips, or no clip holds a word.
    """
    words = before[:, 1]
    if not np.array_equal(words, after[:, 1]) or not words.sum():
        raise ValueError("what is compared must be the same clips, and have words")
    more = after[:, 0] - before[:, 0]
    drawn = np.random.default_rng(0).integers(0, len(words), size=(_RESAMPLES, len(words)))
    rises = 100 * more[drawn].sum(axis=1) / np.maximum(words[drawn].sum(axis=1), 1)
    return Rise(float(100 * more.sum() / words.sum()), float(np.percentile(rises, _LEAST)))
