"""Text and log-probabilities → which step said which part of the text: forced alignment.

Viterbi's algorithm over the target of connectionist temporal classification, in which a blank may stand between any
two tokens. A decoder says which text it heard and not by which tokens, so all ways to cut the text into tokens are
searched at once: a state is a token and the place in the text behind it.

Sources: A. Graves et al., "Connectionist Temporal Classification", ICML 2006, section 4.1, for the paths; NeMo's
`tools/nemo_forced_aligner` and torchaudio's `forced_align` do the same for one given cut.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from inference.decoding.vocabulary import UNKNOWN_SURFACE, WORD_START, Vocabulary
from inference.types import Float32Array

Indices: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class AlignedToken:
    """A token on its steps."""

    token: int
    word: int
    """Which word of the text it belongs to."""
    first: int
    """Step."""
    last: int
    """Step; the same one where it took one alone."""


class Aligner:
    """One vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._blank = vocabulary.blank
        # Where SentencePiece has no letters for a token, it says what lies between words, as the mark alone does.
        surfaces = [WORD_START if surface == UNKNOWN_SURFACE else surface for surface in vocabulary.surfaces]
        self._surfaces = surfaces
        self._between = [token for token, surface in enumerate(surfaces) if surface == WORD_START]
        self._tokens: dict[str, list[int]] = {}
        for token, surface in enumerate(surfaces):
            self._tokens.setdefault(surface, []).append(token)
        self._longest = max(map(len, surfaces), default=0)

    def __call__(self, log_probabilities: Float32Array, text: str) -> tuple[AlignedToken, ...]:
        """Return the tokens of the likeliest path through `[steps, vocabulary + 1]` that says `text`, in their order.

        Every word has at least one; marks that stand alone between words are left out. The result is empty where no
        path says the text: it has letters that the vocabulary lacks, or more tokens than there are steps.
        """
        likeliest, said = self._likeliest(log_probabilities)
        if said == text.split():
            return likeliest  # of all paths, so of those that say the text
        target = "".join(WORD_START + word for word in text.split())
        states = _states(target, self._tokens, self._longest)
        if states is None:
            return ()
        # Between words, further marks say as little as a blank.
        marks = np.array([letter == WORD_START for letter in target])
        outside = np.append(marks, True) | np.append(True, marks)
        blank = log_probabilities[:, [self._blank]]
        quiet = log_probabilities[:, [self._blank, *self._between]].max(axis=1, keepdims=True)
        path = _search(states, log_probabilities[:, states.tokens], np.where(outside, quiet, blank))
        words = np.cumsum(marks) - 1
        return tuple(token for token in _aligned(path, states, words.tolist()) if token.token not in self._between)

    def likeliest(self, log_probabilities: Float32Array) -> tuple[AlignedToken, ...]:
        """Return the tokens of the likeliest path through `[steps, vocabulary + 1]`, whatever it says."""
        return self._likeliest(log_probabilities)[0]

    def _likeliest(self, log_probabilities: Float32Array) -> tuple[tuple[AlignedToken, ...], list[str]]:
        """Those, and the words that they say."""
        best = log_probabilities.argmax(axis=1)
        edges = np.flatnonzero(np.diff(best, prepend=-1, append=-1))
        tokens: list[AlignedToken] = []
        words: list[str] = []
        begins = True
        for first, behind in pairwise(edges.tolist()):
            if (token := int(best[first])) == self._blank:
                continue
            letters = self._surfaces[token].removeprefix(WORD_START)
            begins |= letters != self._surfaces[token]
            if letters:
                words += [""] * begins
                words[-1] += letters
                tokens.append(AlignedToken(token, len(words) - 1, first, behind - 1))
                begins = False
        return tuple(tokens), words


@dataclass(frozen=True, slots=True)
class _States:
    """Tokens at their places in the target, in the order of the places behind them."""

    tokens: Indices
    """`[states]`."""
    starts: Indices
    """`[states]`: the place in front of each."""
    places: Indices
    """`[places]`: those behind at least one state, increasing."""
    firsts: Indices
    """`[places]`: the first state that ends there."""
    ending: dict[int, list[int]]
    """Place → the states that end there."""
    repeated: Indices
    """States that the same token may stand in front of, where only a blank keeps the two apart."""
    others: Indices
    """`[repeated, most]`: other states that end where each of those starts, or the number of states for none."""


def _states(target: str, tokens: dict[str, list[int]], longest: int) -> _States | None:
    """All places of all tokens, or nothing where they do not cover the target."""
    found: list[tuple[int, int]] = []  # token, place in front of it
    ending: dict[int, list[int]] = {0: [], 1: []}  # the first mark says nothing and may be missing
    for end in range(1, len(target) + 1):
        here = [
            (token, start)
            for start in range(max(0, end - longest), end)
            if start in ending
            for token in tokens.get(target[start:end], ())
        ]
        if here:
            ending[end] = list(range(len(found), len(found) + len(here)))
            found += here
    if len(target) < 2 or len(target) not in ending:
        return None
    repeated, others = [], []
    for state, (token, start) in enumerate(found):
        unlike = [before for before in ending[start] if found[before][0] != token]
        if len(unlike) < len(ending[start]):
            repeated.append(state)
            others.append(unlike)
    most = max(map(len, others), default=0) + 1
    padded = np.array([row + [len(found)] * (most - len(row)) for row in others], dtype=np.intp)
    ids, starts = np.array(found, dtype=np.intp).T.copy()
    places = [place for place, states in ending.items() if states]
    firsts = [ending[place][0] for place in places]
    return _States(ids, starts, np.array(places), np.array(firsts), ending, np.array(repeated, dtype=np.intp), padded)


def _search(states: _States, spoken: Float32Array, silent: Float32Array) -> list[int]:
    """The likeliest path, as a state or -1 for a blank in each step; empty where there is none.

    `spoken` `[steps, states]` and `silent` `[steps, places]` are the log-probabilities of a state and of none behind
    a place.
    """
    steps, count = spoken.shape
    after_token = np.full((steps + 1, count + 1), -np.inf, dtype=np.float32)  # the last one is none at all
    after_blank = np.full((steps + 1, silent.shape[1]), -np.inf, dtype=np.float32)
    after_blank[0, :2] = 0
    for step in range(steps):
        token, blank = after_token[step, :count], after_blank[step]
        best = blank.copy()
        best[states.places] = np.maximum(np.maximum.reduceat(token, states.firsts), blank[states.places])
        entered = best[states.starts]
        if states.repeated.size:
            ways = after_token[step, states.others].max(axis=1)
            entered[states.repeated] = np.maximum(ways, blank[states.starts[states.repeated]])
        np.maximum(entered, token, out=entered)
        np.add(entered, spoken[step], out=after_token[step + 1, :count])
        np.add(best, silent[step], out=after_blank[step + 1])
    return _backwards(states, after_token, after_blank)


def _backwards(states: _States, after_token: Float32Array, after_blank: Float32Array) -> list[int]:
    """The path that led to the end, found from there by looking which way was the likeliest."""
    ids, starts = states.tokens.tolist(), states.starts.tolist()
    state, place = -1, int(states.places[-1])
    path: list[int] = []
    for token, blank in zip(after_token[:0:-1], after_blank[:0:-1], strict=True):
        if state < 0:
            ways = states.ending[place]
        else:
            place = starts[state]
            ways = [state, *(way for way in states.ending[place] if ids[way] != ids[state])]
        best, state = blank[place], -1
        for way in ways:
            if token[way] > best:
                best, state = token[way], way
        if best == -np.inf:
            return []
        path.append(state)
    return path[::-1]


def _aligned(path: list[int], states: _States, words: list[int]) -> list[AlignedToken]:
    """The steps of each token; `words` says which word each place of the target is in."""
    tokens: list[AlignedToken] = []
    before = -1
    for step, state in enumerate(path):
        if state >= 0 and state == before:
            tokens[-1] = replace(tokens[-1], last=step)
        elif state >= 0:
            tokens.append(AlignedToken(int(states.tokens[state]), words[states.starts[state]], step, step))
        before = state
    return tokens
