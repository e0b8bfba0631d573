"""`python -m export word-model`, with the real model on the sample clips."""

import dataclasses
import json

import pytest

from evaluation.scoring import score
from export.cli import main
from export.package_writer import write_manifest
from inference.decoding.decoder import Decoders
from inference.errors import PackageError
from inference.loading import load
from inference.package import load_package
from tests.export.test_language_model import directory, noisy  # noqa: F401 - a fixture


@pytest.fixture
def poorly_led(directory, tmp_path):  # noqa: F811
    """A package whose search knows the letters of the clips and not their order, clips that it mishears, their text."""
    rows = [json.loads(line) for line in noisy(tmp_path, 1.0).read_text(encoding="utf-8").splitlines()]
    letters, text = tmp_path / "letters.txt", tmp_path / "text.txt"
    letters.write_text("".join(row["text"] + "\n" for row in rows), encoding="utf-8")
    text.write_text("".join(row["text"] + "।\n" for row in rows) * 5, encoding="utf-8")
    search = ["language-model", str(directory), str(letters), "--dev", str(tmp_path / "dev.jsonl"), "--order", "1"]
    assert main(search) == 0
    return directory, tmp_path / "dev.jsonl", text


def test_a_model_that_helps_is_taken(poorly_led, capsys):
    package, manifest, text = poorly_led
    assert load_package(package).word_model is None, "it judged what another search had found"
    assert main(["word-model", str(package), str(text), "--dev", str(manifest)]) == 0
    table = [row.split("|") for row in capsys.readouterr().out.splitlines() if row.startswith("|")]
    (before,) = [int(row[3]) for row in table if "beam search alone" in row[1]]
    (after,) = [int(row[3]) for row in table if "chosen" in row[5]]
    assert after < before
    taken = load_package(package)
    assert taken.provenance["word_model"]["texts"].keys() == {"text.txt"}
    assert "beam" not in taken.confidence
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    ways = taken, dataclasses.replace(taken, word_model=None)
    chosen, found = ([load(way).transcribe(row["audio_filepath"]).text for row in rows] for way in ways)
    said = [row["text"] for row in rows]
    assert wrong(said, chosen) < wrong(said, found)
    assert taken.greedy().word_model is None


def wrong(said, heard):
    return score(said, heard).characters.errors


def test_refused_where_nothing_is_gained(poorly_led, tmp_path, capsys):
    package, _, _ = poorly_led
    manifest = noisy(tmp_path, 0.0)  # which the search hears without a mistake
    nonsense = tmp_path / "nonsense.txt"
    nonsense.write_text("घङछ ठडढ\n" * 20, encoding="utf-8")
    before = (package / "model.yaml").read_bytes()
    assert main(["word-model", str(package), str(nonsense), "--dev", str(manifest)]) == 1
    assert "refused" in capsys.readouterr().err
    assert (package / "model.yaml").read_bytes() == before


def test_there_must_be_a_search(directory, tmp_path, capsys):  # noqa: F811
    manifest = noisy(tmp_path, 0.0)
    text = tmp_path / "text.txt"
    text.write_text("एक दो\n", encoding="utf-8")
    write_manifest(load_package(directory).greedy())
    assert main(["word-model", str(directory), str(text), "--dev", str(manifest)]) == 2
    assert "first 'python -m export language-model'" in capsys.readouterr().err
    assert load_package(directory).word_model is None


def test_a_damaged_file_is_named(directory):  # noqa: F811
    package = load_package(directory)
    path = package.word_model_path()
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(PackageError, match=r"word_model\.npz is damaged"):
        load_package(directory)
    with pytest.raises(PackageError, match="is no language model"):
        Decoders(package)
