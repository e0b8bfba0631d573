"""Plain text → an n-gram model over characters, or words, with interpolated Kneser-Ney probabilities.

A word is counted as one character, of a code point that is given to it.

Sources: R. Kneser, H. Ney, "Improved backing-off for m-gram language modeling", ICASSP 1995; S. Chen, J. Goodman, "An
empirical study of smoothing techniques for language modeling", 1999 (one discount for each order, interpolated); K.
Seymore, R. Rosenfeld, "Scalable backoff language models", ICSLP 1996, for what is forgotten (weighted differences).
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from export.errors import ExportError
from inference.decoding.vocabulary import WORD_START
from inference.types import Float32Array, NgramModel

_START, _END = "\x02", "\x03"
_CHARACTERS_ALWAYS_KEPT = 3


@dataclass(frozen=True, slots=True)
class Size:
    """How much of a text is remembered."""

    order: int
    """Characters, or words, of the longest n-gram."""
    least: int
    """N-grams of four characters and more, or two words, that occur less often are forgotten."""
    gain: float = 0.0
    """And those that make the text likelier by fewer nats than this."""


def train(sentences: Iterable[str], size: Size) -> NgramModel:
    """Count and smooth n-grams of characters; raise ExportError where there is no text."""
    joined = ("".join(WORD_START + word for word in sentence.split()) for sentence in sentences)
    return _trained(joined, size, _CHARACTERS_ALWAYS_KEPT, "".join)


def train_on_words(sentences: Iterable[str], size: Size) -> NgramModel:
    """Count and smooth n-grams of words; raise ExportError where there is no text."""
    codes: dict[str, str] = {}

    def encoded(word: str) -> str:
        return codes.setdefault(word, chr(ord(_END) + 1 + len(codes)))

    def named(alphabet: Iterable[str]) -> str:
        words = {code: word for word, code in codes.items()}
        return " ".join(words.get(code, code) for code in alphabet)

    joined = ("".join(map(encoded, sentence.split())) for sentence in sentences)
    return _trained(joined, size, 1, named)


def _trained(joined: Iterable[str], size: Size, always_kept: int, named: Callable[[Iterable[str]], str]) -> NgramModel:
    """Of sentences whose symbols are characters; `named` tells what the alphabet's stand for."""
    counts = _counts(joined, size.order)
    alphabet = [_START, _END, *sorted({gram for gram in counts[1] if gram not in (_START, _END)})]
    kept: list[Sequence[str]] = [
        [gram for gram, count in found.items() if length <= always_kept or count >= size.least]
        for length, found in enumerate(counts)
    ]
    adjusted = [_adjusted(counts, length) for length in range(1, len(counts))]
    if size.gain:
        smoothed = _Smoothed(adjusted, kept, len(alphabet))
        kept = _worth_keeping(kept, counts, smoothed, size.gain, always_kept)
    return _Automaton(alphabet, _Smoothed(adjusted, kept, len(alphabet))).arrays(named(alphabet))


def _counts(sentences: Iterable[str], order: int) -> list[Counter[str]]:
    """How often each n-gram occurs, by length; the beginning of a sentence is context only."""
    counts: list[Counter[str]] = [Counter() for _ in range(order + 1)]
    for sentence in tqdm(sentences, desc="counting", unit="sentence", disable=None):
        if not sentence:
            continue
        text = _START + sentence + _END
        for length in range(1, order + 1):
            counts[length].update(text[i : i + length] for i in range(length == 1, len(text) - length + 1))
    if not counts[1]:
        raise ExportError("there is no text to learn from")
    return counts


class _Smoothed:
    """Probabilities of kept n-grams, and what each context leaves for others."""

    def __init__(self, adjusted: Sequence[Mapping[str, int]], kept: Sequence[Sequence[str]], alphabet: int) -> None:
        self.probabilities: dict[str, float] = {}
        self.left_over: dict[str, float] = {"": 1.0}
        self._uniform = 1.0 / alphabet
        for counts, grams in zip(adjusted, kept[1:], strict=True):
            self._add(grams, counts)

    def gain(self, gram: str) -> float:
        """Nats by which `gram` makes its last character likelier than it were without it."""
        without = self.left_over[gram[:-1]] * self._behind(gram[1:-1], gram[-1])
        return math.log(self.probabilities[gram]) - math.log(without)

    def _add(self, kept: Sequence[str], adjusted: Mapping[str, int]) -> None:
        discount = _discount(adjusted)
        totals: dict[str, int] = defaultdict(int)
        for gram, count in adjusted.items():
            totals[gram[:-1]] += count
        shares = {gram: (adjusted[gram] - discount) / totals[gram[:-1]] for gram in kept}
        taken: dict[str, float] = defaultdict(float)
        for gram, share in shares.items():
            taken[gram[:-1]] += share
        self.left_over.update((context, 1.0 - share) for context, share in taken.items())
        lower = {gram: self._behind(gram[1:-1], gram[-1]) if len(gram) > 1 else self._uniform for gram in kept}
        self.probabilities.update(
            (gram, share + self.left_over[gram[:-1]] * lower[gram]) for gram, share in shares.items()
        )

    def _behind(self, context: str, character: str) -> float:
        found = self.probabilities.get(context + character)
        if found is not None:
            return found
        rest = self._behind(context[1:], character) if context else self._uniform
        return self.left_over.get(context, 1.0) * rest


def _worth_keeping(
    kept: Sequence[Sequence[str]],
    counts: Sequence[Mapping[str, int]],
    smoothed: _Smoothed,
    gain: float,
    always_kept: int,
) -> list[Sequence[str]]:
    """N-grams without which the text would be at least `gain` nats less likely, and the contexts of such."""
    worthy = list(kept)
    contexts: set[str] = set()
    for length in range(len(counts) - 1, always_kept, -1):
        found = counts[length]
        worthy[length] = [g for g in kept[length] if g in contexts or found[g] * smoothed.gain(g) >= gain]
        contexts = {gram[:-1] for gram in worthy[length]}
    return worthy


def _adjusted(counts: Sequence[Counter[str]], length: int) -> Mapping[str, int]:
    """Kneser and Ney's counts: behind how many characters an n-gram occurs; of the longest ones, how often it does."""
    if length + 1 == len(counts):
        return counts[length]
    found = Counter(gram[1:] for gram in counts[length + 1])
    # Nothing stands in front of the beginning of a sentence.
    found.update({gram: count for gram, count in counts[length].items() if gram[0] == _START})
    return found


def _discount(counts: Mapping[str, int]) -> float:
    """Ney's estimate from the n-grams that occur once and twice."""
    frequencies = Counter(counts.values())
    singles, doubles = frequencies[1], frequencies[2]
    return singles / (singles + 2 * doubles) if singles and doubles else 0.5


class _Automaton:
    """N-grams in the order of their states."""

    def __init__(self, alphabet: Sequence[str], smoothed: _Smoothed) -> None:
        self._alphabet = alphabet
        self._smoothed = smoothed
        grams = sorted({_START, *smoothed.probabilities}, key=lambda gram: (len(gram), gram))
        self._grams = ["", *grams]  # lexicographic order within a length keeps the arcs of a state together
        self._states = {gram: state for state, gram in enumerate(self._grams)}

    def arrays(self, alphabet: str) -> NgramModel:
        symbols = {character: index for index, character in enumerate(self._alphabet)}
        probabilities, left_over = self._smoothed.probabilities, self._smoothed.left_over
        arcs = Counter(gram[:-1] for gram in self._grams[1:])
        shorter = [self._shorter(gram) for gram in self._grams]
        return NgramModel(
            alphabet=alphabet,
            symbols=np.array(
                [symbols[gram[-1:] or _START] for gram in self._grams], np.min_scalar_type(len(symbols) - 1)
            ),
            scores=_logarithms(probabilities.get(gram, 1.0) for gram in self._grams),
            backoffs=_logarithms(left_over.get(gram, 1.0) for gram in self._grams),
            shorter=np.array(shorter, np.int32),
            targets=np.array(
                [state if arcs[gram] else shorter[state] for gram, state in self._states.items()], np.int32
            ),
            first_arcs=np.cumsum([1, *(arcs[gram] for gram in self._grams)], dtype=np.int32),
        )

    def _shorter(self, gram: str) -> int:
        """The state of the longest part behind the first character that is a context of anything."""
        suffixes = (gram[start:] for start in range(1, len(gram)))
        return next((self._states[suffix] for suffix in suffixes if suffix in self._smoothed.left_over), 0)


def _logarithms(values: Iterable[float]) -> Float32Array:
    return np.array([math.log(max(value, 1e-30)) for value in values], np.float32)
