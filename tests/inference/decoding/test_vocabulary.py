"""Pieces of a SentencePiece model → text."""

import dataclasses

import numpy as np
import pytest

from inference.decoding.decoder import Decoders
from inference.decoding.vocabulary import Vocabulary, load_vocabulary
from inference.errors import PackageError
from inference.package import PackageFile, load_package

PIECES = ("<unk>", "▁नम", "स्ते", "▁", "आ", "▁▁", "▁a")


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        ([], ""),
        ([1, 2], "नमस्ते"),
        ([1, 2, 3, 4], "नमस्ते आ"),
        ([2, 1], "स्ते नम"),
        ([4, 0, 4], "आ ⁇ आ"),
        ([3, 3, 4], "आ"),
        ([6, 6], "a a"),
    ],
)
def test_text(ids, text):
    assert Vocabulary(PIECES).text(ids) == text


def test_the_blank_comes_last():
    assert Vocabulary(PIECES).blank == len(PIECES)


def test_file(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("<unk> 0\n▁नम 1\n▁ 2\n<blk> 3\n", encoding="utf-8")
    assert load_vocabulary(path).pieces == ("<unk>", "▁नम", "▁")


@pytest.mark.parametrize(
    "content",
    ["", "<unk> 0\n", "<unk> 0\nअ 2\n<blk> 3\n", "<blk> 0\nअ 1\n", "अ\n<blk> 1\n", "अ 0\n<blk>\n"],
    ids=["empty", "no blank", "gap", "blank not last", "no id", "blank without id"],
)
def test_damaged_files(tmp_path, content):
    path = tmp_path / "vocab.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(PackageError, match=r"vocab\.txt"):
        load_vocabulary(path)


def test_the_packages_vocabulary_fits_its_blank(model_directory):
    package = load_package(model_directory)
    assert load_vocabulary(package.vocabulary_path()).blank == package.blank


def test_a_mark_for_what_has_no_text_never_reaches_a_client(tmp_path, model_directory):
    package = load_package(model_directory).greedy()
    pieces = package.vocabulary_path().read_text(encoding="utf-8").splitlines()
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(["<unk> 0", *pieces[1:]]), encoding="utf-8")
    renamed = dataclasses.replace(package, directory=tmp_path, vocabulary=PackageFile("vocab.txt", ""))
    log_probabilities = np.full((5, package.blank + 1), -50.0, dtype=np.float32)
    log_probabilities[[0, 1, 2, 3, 4], [5, 0, package.blank, 7, 0]] = 0.0
    text = Decoders(renamed).text(log_probabilities)
    assert text
    assert "⁇" not in text
    assert text == text.strip()
