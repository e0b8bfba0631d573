"""Whether confidences keep what they promise: of all words with 0.8, four of five should be right.

Sources: C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, for the expected calibration error;
M.-H. Siu et al., "Improved estimation, evaluation and applications of confidence measures for speech recognition",
Eurospeech 1997, for the normalised cross entropy.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import jiwer
import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from evaluation.scoring import normalise

Floats: TypeAlias = NDArray[np.float64]
_BINS = 15
_NOTHING = "-"  # a word that normalisation leaves nothing of is wrong


@dataclass(frozen=True, slots=True)
class Judged:
    """Words that were heard."""

    confidence: Floats
    """`[words]`, from 0 to 1."""
    right: NDArray[np.bool_]
    """`[words]`."""

    def error(self, *, equal_mass: bool = False) -> float:
        """Expected calibration error: in 15 bins as wide as each other, or with as many words as each other."""
        return sum(
            abs(confidence - right) * count for confidence, right, count in self.bins(equal_mass=equal_mass)
        ) / max(self.right.size, 1)

    def bins(self, *, equal_mass: bool = False) -> Iterator[tuple[float, float, int]]:
        """Mean confidence, share of right words, and number of words; of bins with any."""
        order = np.argsort(self.confidence, kind="stable")
        edges = np.searchsorted(self.confidence[order], np.arange(1, _BINS) / _BINS)
        for chosen in np.array_split(order, _BINS if equal_mass else edges):
            if chosen.size:
                yield float(self.confidence[chosen].mean()), float(self.right[chosen].mean()), chosen.size

    @property
    def cross_entropy(self) -> float:
        """Normalised: 1 for an oracle, 0 for telling the share of right words of each, less for what misleads."""
        known = _entropy(np.full(self.right.size, self.right.mean()), self.right)
        return 1 - _entropy(self.confidence, self.right) / known if known else 0.0

    @property
    def area(self) -> float:
        """Under the ROC curve: how often a right word has more confidence than a wrong one; NaN without both."""
        count = int(self.right.sum())
        pairs = count * (self.right.size - count)
        if not pairs:
            return float("nan")
        return float(rankdata(self.confidence)[self.right].sum() - count * (count + 1) / 2) / pairs


def words_right(reference: str, words: Sequence[str]) -> list[bool]:
    """Whether each word is the reference's, by alignment of both texts; normalised as in `evaluation.scoring`."""
    wanted, heard = normalise(reference), [normalise(word) or _NOTHING for word in words]
    right = [False] * len(heard)
    if wanted and heard:
        for chunk in jiwer.process_words(wanted, " ".join(heard)).alignments[0]:
            if chunk.type == "equal":
                right[chunk.hyp_start_idx : chunk.hyp_end_idx] = [True] * (chunk.hyp_end_idx - chunk.hyp_start_idx)
    return right


def joined(parts: Sequence[Judged]) -> Judged:
    """Words of several sets."""
    return Judged(np.concatenate([each.confidence for each in parts]), np.concatenate([each.right for each in parts]))


def _entropy(confidence: Floats, right: NDArray[np.bool_]) -> float:
    given = np.where(right, confidence, 1 - confidence)
    return float(-np.log(np.clip(given, 1e-6, 1)).mean()) if right.size else 0.0
