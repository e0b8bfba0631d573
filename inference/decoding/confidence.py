"""Aligned tokens and log-probabilities → how sure the model is of each word, from 0 to 1.

A word is no surer than its least sure token, and a token as sure as its surest step, by the entropy over the
vocabulary there; blanks do not count. What a language model made of a word against the sounds is less likely than what
the sounds say, and so much less sure. The curve of the package then tells how many words of that score were right.

Sources: A. Laptev, B. Ginsburg, "Fast Entropy-Based Methods of Word-Level Confidence Estimation for End-to-End ASR",
SLT 2022 (arXiv 2212.08703), with its exponential normalisation, α at 1, where Tsallis' entropy is Shannon's, and the
least of a word's tokens; NeMo's `asr_confidence_utils.py` has the same.
"""

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from inference.decoding.alignment import AlignedToken
from inference.types import ConfidenceCurve, Float32Array

_NEVER = -1e4  # stands for minus infinity, of which probability nothing is left either


def word_scores(log_probabilities: Float32Array, tokens: Sequence[AlignedToken], blank: int) -> list[float]:
    """Return a score from 0 to 1 for each word of `tokens`, which `[steps, vocabulary + 1]` were aligned to."""
    certain = _certainty(log_probabilities)
    path = np.full(len(log_probabilities), blank)
    for token in tokens:
        path[token.first : token.last + 1] = token.token
    said = log_probabilities[np.arange(path.size), path] - log_probabilities.max(axis=1)
    scores = []
    for _, group in groupby(tokens, key=lambda token: token.word):
        word = list(group)
        least = min(certain[token.first : token.last + 1].max() for token in word)
        scores.append(float(least * np.exp(said[word[0].first : word[-1].last + 1].sum())))
    return scores


def confidence(score: float, curve: ConfidenceCurve | None) -> float:
    """Return the share of words of this score that were right on the clips of the curve; without one, the score."""
    return float(np.interp(score, curve.scores, curve.right)) if curve else score


def _certainty(log_probabilities: Float32Array) -> Float32Array:
    """Of each step: 1 where one token has all the probability, 0 where all have the same."""
    entropy = -(np.exp(log_probabilities) * np.maximum(log_probabilities, _NEVER)).sum(axis=1)
    size = log_probabilities.shape[1]
    certain: Float32Array = np.clip((size * np.exp(-entropy) - 1) / (size - 1), 0.0, 1.0)
    return certain
