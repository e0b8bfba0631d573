"""Ids → text against SentencePiece, through NeMo's tokenizer."""

import numpy as np
import pytest

from inference.decoding.vocabulary import Vocabulary

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


def test_a_tokenizer_that_keeps_extra_spaces_differs_at_the_beginning_alone(tmp_path):
    import sentencepiece

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["मा ता मामा ताता मत तम"] * 10), model_prefix=str(tmp_path / "t"), vocab_size=12,
        model_type="bpe", bos_id=-1, eos_id=-1, remove_extra_whitespaces=False, minloglevel=2,
    )  # fmt: skip
    keeping = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "t.model"))
    vocabulary = Vocabulary(tuple(keeping.id_to_piece(index) for index in range(keeping.get_piece_size())))
    random = np.random.default_rng(3)
    for _ in range(SEQUENCES):
        sequence = random.integers(0, len(vocabulary.pieces), size=random.integers(0, 9)).tolist()
        assert vocabulary.text(sequence).lstrip(" ") == keeping.decode_ids(sequence).lstrip(" "), sequence
