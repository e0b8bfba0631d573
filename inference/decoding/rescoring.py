"""Texts that a search could not tell apart by letters → which of them is made of words that people say in a row.

The second of two passes: the search keeps the likeliest texts, and a language model over words, which looks farther
back than one over characters, changes their order.

Source: R. Schwartz, S. Austin, "A comparison of several approximate algorithms for finding multiple (N-best) sentence
hypotheses", ICASSP 1991.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from inference.decoding.language_model import LanguageModel


@dataclass(frozen=True, slots=True)
class Rescoring:
    """A model over words, and how much it has to say."""

    model: LanguageModel
    weight: float
    """Of its log-probabilities beside those of the search."""
    bonus: float
    """Nats for each word: it alone would have texts of few words."""

    def __call__(self, text: str) -> float:
        """Return the nats by which a text gains, or loses."""
        words = text.split()
        score, state = self.model.advance(self.model.start, words)
        return self.weight * (score + self.model.end(state)) + self.bonus * len(words)


def best_of(texts: Mapping[str, float], rescoring: Rescoring | None = None) -> str:
    """Return the best of some texts with the nats that a search gave them, and `rescoring` gives them beside."""
    return max(texts, key=lambda text: texts[text] + (rescoring(text) if rescoring else 0.0))
