"""Ids → text against SentencePiece, through NeMo's tokenizer."""

import numpy as np
import pytest

from inference.vocabulary import Vocabulary

SEQUENCES = 2_000


@pytest.fixture(scope="module")
def tokenizer(nemo_checkpoint):
    return nemo_checkpoint.model.tokenizer


@pytest.fixture(scope="module")
def vocabulary(nemo_checkpoint):
    return Vocabulary(tuple(nemo_checkpoint.pieces))


@pytest.fixture(scope="module")
def ids(vocabulary):
    """Ids by piece."""
    return {piece: index for index, piece in enumerate(vocabulary.pieces)}


def test_random_sequences(vocabulary, tokenizer):
    random = np.random.default_rng(1)
    for _ in range(SEQUENCES):
        sequence = random.integers(0, len(vocabulary.pieces), size=random.integers(0, 40)).tolist()
        assert vocabulary.text(sequence) == tokenizer.ids_to_text(sequence), sequence


def test_sequences_of_the_awkward_pieces_alone(vocabulary, tokenizer, ids):
    awkward = [
        ids["▁"],
        ids["<unk>"],
        ids["ा"],
        next(index for piece, index in ids.items() if piece[0] == "▁" != piece),
    ]
    random = np.random.default_rng(2)
    for _ in range(SEQUENCES):
        sequence = random.choice(awkward, size=random.integers(0, 9)).tolist()
        assert vocabulary.text(sequence) == tokenizer.ids_to_text(sequence), [vocabulary.pieces[i] for i in sequence]


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        ["▁"],
        ["▁", "▁"],
        ["▁", "▁", "म"],
        ["म", "▁"],
        ["म", "▁", "▁", "म"],
        ["<unk>"],
        ["<unk>", "म"],
        ["म", "<unk>", "<unk>", "▁"],
        ["▁", "<unk>", "▁", "म"],
    ],
)
def test_edges(vocabulary, tokenizer, ids, pieces):
    sequence = [ids[piece] for piece in pieces]
    assert vocabulary.text(sequence) == tokenizer.ids_to_text(sequence)
