"""Log-probabilities → token ids, by connectionist temporal classification.

Source: A. Graves et al., "Connectionist Temporal Classification", ICML 2006; NeMo's
`GreedyCTCInfer` does the same.
"""

import numpy as np
from numpy.typing import NDArray

from inference.types import Float32Array


def greedy(log_probabilities: Float32Array, blank: int) -> NDArray[np.int64]:
    """Best token of each step, repeats merged, blanks dropped.

    Takes `[steps, vocabulary + 1]`; returns `[tokens]`, empty where the model heard nothing.
    """
    best = log_probabilities.argmax(axis=1)
    starts = np.ones(best.shape, dtype=bool)
    np.not_equal(best[1:], best[:-1], out=starts[1:])
    tokens: NDArray[np.int64] = best[starts & (best != blank)]
    return tokens
