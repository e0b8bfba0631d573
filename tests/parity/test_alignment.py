"""Forced alignment against NeMo's and torchaudio's, which align one given cut into tokens."""

import importlib
import itertools

import numpy as np
import pytest

from inference.decoding.alignment import Aligner
from inference.decoding.vocabulary import Vocabulary

_MARKS = ("<unk>", "▁")  # say nothing between words, and are left out there


@pytest.fixture(scope="module")
def torchaudio():
    """It is no part of the environment: its wheel asks for CUDA's half of torch, and NeMo fails where it is broken."""
    try:
        return importlib.import_module("torchaudio")
    except (ImportError, OSError) as error:
        pytest.skip(f"torchaudio, which wants a torch built for CUDA, cannot be imported: {error}")


@pytest.fixture(scope="module")
def vocabulary(nemo_checkpoint):
    return Vocabulary(tuple(piece for piece in nemo_checkpoint.pieces if piece not in _MARKS))


def spans(path, blank):
    """Token, first and last step."""
    steps = itertools.groupby(enumerate(path), key=lambda step: step[1])
    groups = [(token, [step for step, _ in group]) for token, group in steps]
    return [(token, group[0], group[-1]) for token, group in groups if token != blank]


def by_torchaudio(torchaudio, log_probabilities, tokens, blank):
    import torch

    target = torch.tensor([tokens], dtype=torch.int32)
    path, _ = torchaudio.functional.forced_align(torch.from_numpy(log_probabilities[None]), target, blank=blank)
    return path[0].tolist()


def by_nemo(log_probabilities, tokens, blank):
    import torch
    from nemo.collections.asr.parts.utils.aligner_utils import viterbi_decoding

    target = [blank, *(each for token in tokens for each in (token, blank))]
    (states,) = viterbi_decoding(
        torch.from_numpy(log_probabilities[None]),
        torch.tensor([target]),
        torch.tensor([len(log_probabilities)]),
        torch.tensor([len(target)]),
        torch.device("cpu"),
    )
    return [target[state] for state in states]


@pytest.mark.parametrize("oracle", ["nemo", "torchaudio"])
@pytest.mark.parametrize("seed", range(12))
def test_the_same_steps(request, vocabulary, oracle, seed):
    chance = np.random.default_rng(seed)
    blank, steps = vocabulary.blank, int(chance.integers(40, 150))
    spoken = chance.integers(0, blank, size=int(chance.integers(1, 16))).repeat(chance.integers(1, 3))
    logits = chance.normal(scale=2, size=(steps, blank + 1))
    places = np.sort(chance.choice(steps, size=spoken.size, replace=False))
    logits[places, spoken] += 6  # so that the text is likely somewhere
    log_probabilities = (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)

    def path_of(tokens):
        if oracle == "nemo":
            return by_nemo(log_probabilities, tokens, blank)
        return by_torchaudio(request.getfixturevalue("torchaudio"), log_probabilities, tokens, blank)

    found = Aligner(vocabulary)(log_probabilities, vocabulary.text(spoken.tolist()))
    ours = [(each.token, each.first, each.last) for each in found]
    cut = [each.token for each in found]
    assert vocabulary.text(cut) == vocabulary.text(spoken.tolist())
    assert spans(path_of(cut), blank) == ours
    # Of all cuts ours is the likeliest, so that the one which was spoken is no likelier.
    path = np.full(steps, blank)
    for token, first, last in ours:
        path[first : last + 1] = token
    rows = np.arange(steps)
    as_spoken = log_probabilities[rows, path_of(spoken.tolist())].sum()
    assert log_probabilities[rows, path].sum() >= as_spoken - 1e-3
