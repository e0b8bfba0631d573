"""Log-probabilities → likely texts, by prefix beam search with a language model.

Source: A. Hannun et al., "First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent
DNNs", 2014 (arXiv 1408.2873), algorithm 1, with a language model over characters and a bonus for each letter.
"""

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from inference.decoding.language_model import LanguageModel
from inference.decoding.rescoring import Rescoring, best_of
from inference.decoding.vocabulary import WORD_START, Vocabulary
from inference.types import Float32Array

_Key: TypeAlias = tuple[str, int]
"""What a hypothesis says, and its last token, whose repetition means something else than another one."""
_Beam: TypeAlias = dict[_Key, tuple[float, float, int]]
"""Probability of the paths that end in a blank, of those that end in the last token, state of the language model."""
_MOST_REMEMBERED = 10_000  # extensions; some 3 MiB, and ten times as many are no faster


@dataclass(frozen=True, slots=True)
class BeamOptions:
    """How far the search looks."""

    weight: float
    """Of the language model's log-probabilities beside the acoustic model's."""
    bonus: float
    """Nats for each letter: the language model alone would have texts short. Spaces get none, or words fall apart."""
    width: int = 32
    """Most hypotheses after a step."""
    least_token: float = 1e-3
    """Probability under which a token is not tried."""
    least_hypothesis: float = 1e-4
    """Hypotheses this much less likely than the best are dropped."""


class BeamSearch:
    """One vocabulary, one language model. Not for several threads at once."""

    def __init__(
        self, vocabulary: Vocabulary, model: LanguageModel, options: BeamOptions, rescoring: Rescoring | None = None
    ) -> None:
        """Search, and let `rescoring`, if there is one, choose among what was found."""
        self._vocabulary = vocabulary
        self._model = model
        self._options = options
        self._rescoring = rescoring
        self._extensions: dict[tuple[int, int], tuple[float, int]] = {}
        # Of each token: how the model reads it, and what its letters are worth.
        self._tokens = [
            (model.symbols(surface), options.bonus * (len(surface) - surface.count(WORD_START)))
            for surface in vocabulary.surfaces
        ]

    def __call__(self, log_probabilities: Float32Array) -> str:
        """Return the best text of `[steps, vocabulary + 1]` natural log-probabilities."""
        return best_of(self.hypotheses(log_probabilities), self._rescoring)

    def hypotheses(self, log_probabilities: Float32Array) -> dict[str, float]:
        """Return the likeliest texts, and how likely each is in nats, but for a sum that is the same for all."""
        probabilities = np.exp(log_probabilities, dtype=np.float64)
        beam: _Beam = {("", self._vocabulary.blank): (1.0, 0.0, self._model.start)}
        for row, tokens in zip(probabilities, self._likely(probabilities), strict=True):
            if tokens:
                beam = self._pruned(self._step(beam, row.tolist(), tokens))
            else:  # a blank, which says as little behind each of them
                beam = {key: (silent + spoken, 0.0, state) for key, (silent, spoken, state) in beam.items()}
        return self._texts(beam)

    def _likely(self, probabilities: NDArray[np.float64]) -> list[list[tuple[int, float]]]:
        """The tokens to try in each step, with their probabilities, likeliest first."""
        spoken = probabilities[:, : self._vocabulary.blank]
        steps, tokens = np.nonzero(spoken > self._options.least_token)
        found = spoken[steps, tokens]
        order = np.lexsort((-found, steps))
        likely: list[list[tuple[int, float]]] = [[] for _ in probabilities]
        for step, token, probability in zip(
            steps[order].tolist(), tokens[order].tolist(), found[order].tolist(), strict=True
        ):
            likely[step].append((token, probability))
        return likely

    def _step(self, beam: _Beam, row: list[float], tokens: list[tuple[int, float]]) -> _Beam:
        """All hypotheses one step later; `tokens` are those to try, with their probabilities, likeliest first."""
        blank, surfaces, remembered = self._vocabulary.blank, self._vocabulary.surfaces, self._extensions
        after = {
            (text, last): ((silent + spoken) * row[blank], spoken * row[last] if last != blank else 0.0, state)
            for (text, last), (silent, spoken, state) in beam.items()
        }
        least = self._least(beam, after, tokens[0][1])
        for (text, last), (silent, spoken, state) in beam.items():
            both = silent + spoken
            for token, probability in tokens:
                if both * probability < least:
                    break
                factor, behind = remembered.get((state, token)) or self._extension(state, token)
                key = text + surfaces[token], token
                before = after.get(key, (0.0, 0.0, behind))
                paths = silent if token == last else both
                after[key] = before[0], before[1] + paths * probability * factor, behind
        return after

    def _least(self, beam: _Beam, after: _Beam, likeliest: float) -> float:
        """Probability under which an extension is not tried: `_pruned` would drop it, unless its letters were welcome.

        Asking the language model is what takes the time, and it seldom raises a probability, bonus and all.
        """
        staying = [silent + spoken for silent, spoken, _ in after.values()]
        silent, spoken, _ = next(iter(beam.values()))  # the best one
        least = max(*staying, 0.0, (silent + spoken) * likeliest) * self._options.least_hypothesis
        return max(least, min(staying)) if len(staying) >= self._options.width else least

    def _extension(self, state: int, token: int) -> tuple[float, int]:
        """By what a token multiplies the probability of a hypothesis, and the state behind it."""
        symbols, bonus = self._tokens[token]
        score, behind = self._model.follow(state, symbols)
        found = math.exp(self._options.weight * score + bonus), behind
        if len(self._extensions) >= _MOST_REMEMBERED:
            self._extensions.clear()
        self._extensions[state, token] = found
        return found

    def _pruned(self, beam: _Beam) -> _Beam:
        """The best, as shares of the very best: probabilities of whole clips are too small for a float."""
        totals = [(silent + spoken, key) for key, (silent, spoken, _) in beam.items()]
        best = max(totals)[0]
        least = best * self._options.least_hypothesis
        likely = sorted([each for each in totals if each[0] > least], reverse=True)
        kept = {}
        for _, key in likely[: self._options.width]:
            silent, spoken, state = beam[key]
            kept[key] = silent / best, spoken / best, state
        return kept

    def _texts(self, beam: _Beam) -> dict[str, float]:
        texts: dict[str, float] = {}
        for (joined, _), (silent, spoken, state) in beam.items():
            ends = math.exp(self._options.weight * self._model.end(state))
            text = self._vocabulary.plain(joined)
            texts[text] = texts.get(text, 0.0) + (silent + spoken) * ends
        return {text: math.log(probability) if probability else -math.inf for text, probability in texts.items()}
