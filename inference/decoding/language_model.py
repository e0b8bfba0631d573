"""A language model over characters or words: how likely is this text after that one.

An n-gram model with backoff as an automaton. A state stands for the longest context that the model knows; from it an
arc leads along each symbol that has been seen behind that context, and where there is none, the search goes on in the
state without the first symbol, at the price of the backoff. The search asks one over characters and not over the
pieces of a vocabulary, so that the same text may be cut up in any way, and one file serves models of every vocabulary;
one over words judges whole texts (`rescoring.py`). `python -m export language-model` and `word-model` make the files.

Source: S. M. Katz, "Estimation of probabilities from sparse data", IEEE ASSP 35(3), 1987, for the backoff.
"""

import dataclasses
import math
import zipfile
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from inference.errors import PackageError
from inference.types import NgramModel

LAYOUT = 2
"""Of the unpacked arrays: those of another one are made anew."""
_ROOT = 0
_UNKNOWN = -1


class LanguageModel:
    """Scores text symbol by symbol. A state is a number; `start` is the one in front of every sentence."""

    def __init__(self, model: NgramModel, *, of_words: bool = False) -> None:
        """Raise ValueError or IndexError where the model is none."""
        symbols = model.alphabet.split(" ") if of_words else model.alphabet
        begin, self._end = symbols[0], symbols[1]
        self._symbols = {symbol: index for index, symbol in enumerate(symbols)}
        # Single elements of views come faster than those of arrays, and lists would take six times the memory.
        self._arcs = model.symbols.data
        self._first = model.first_arcs.data
        self._targets = model.targets.data
        self._shorter = model.shorter.data
        self._scores = model.scores.data
        self._backoffs = model.backoffs.data
        self._unknown = self._backoffs[_ROOT] - math.log(len(symbols))
        _, self.start = self.advance(_ROOT, (begin,))

    def symbols(self, text: Iterable[str]) -> tuple[int, ...]:
        """Return the numbers of a text's characters, or words, for `follow`; those it does not know have one too."""
        return tuple(self._symbols.get(symbol, _UNKNOWN) for symbol in text)

    def advance(self, state: int, text: Iterable[str]) -> tuple[float, int]:
        """Return the natural log-probability of a text's characters, or words, after `state`, and the state behind."""
        return self.follow(state, self.symbols(text))

    def end(self, state: int) -> float:
        """Return the natural log-probability that the sentence ends here."""
        return self.advance(state, (self._end,))[0]

    def follow(self, state: int, symbols: Iterable[int]) -> tuple[float, int]:
        """`advance`, for whoever asks for the same text again and again."""
        arcs, first = self._arcs, self._first
        total = 0.0
        for symbol in symbols:
            while True:
                last = first[state + 1]
                arc = bisect_left(arcs, symbol, first[state], last)
                if arc < last and arcs[arc] == symbol:
                    total += self._scores[arc]
                    state = self._targets[arc]
                    break
                if state == _ROOT:  # which has all that are known
                    total += self._unknown
                    break
                total += self._backoffs[state]
                state = self._shorter[state]
        return total, state


def load_language_model(path: Path) -> NgramModel:
    """Read what `python -m export` wrote; raise PackageError where the file is none of its."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        return NgramModel(
            alphabet=str(arrays["characters" if "characters" in arrays else "alphabet"]),
            symbols=arrays["symbols"],
            scores=arrays["scores"].astype(np.float32),  # half of that on disk
            backoffs=arrays["backoffs"].astype(np.float32),
            shorter=arrays["shorter"],
            targets=arrays["targets"],
            first_arcs=arrays["first_arcs"],
        )
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise PackageError(f"{path} is no language model: {error}") from error


def unpack(model: NgramModel, directory: Path) -> None:
    """Write the arrays as files of their own, which can be mapped; raise OSError where that fails."""
    for field in dataclasses.fields(model):
        np.save(directory / f"{field.name}.npy", np.asarray(getattr(model, field.name)), allow_pickle=False)


def map_unpacked(directory: Path) -> NgramModel:
    """Map what `unpack` wrote: the system holds it once for all processes. Raises PackageError where it is damaged."""
    try:
        arrays = {path.stem: np.load(path, mmap_mode="r", allow_pickle=False) for path in directory.glob("*.npy")}
        return NgramModel(**arrays | {"alphabet": str(arrays["alphabet"])})
    except (ValueError, KeyError, TypeError) as error:
        raise PackageError(f"{directory} is no unpacked language model: {error}") from error
