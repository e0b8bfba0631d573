"""`python -m export language-model`, with the real model on the sample clips."""

import json
import shutil

import numpy as np
import pytest
import soundfile

from export.cli import main
from export.tuning import left
from inference.decoding.decoder import Decoders
from inference.errors import PackageError
from inference.loading import choose_decoding, load
from inference.package import load_package
from tests.samples import expected_texts


@pytest.fixture
def directory(model_directory, tmp_path):
    return shutil.copytree(model_directory, tmp_path / "model")


@pytest.fixture
def manifest(tmp_path):
    """Clips so noisy that greedy decoding mishears words."""
    return noisy(tmp_path, 0.5)


def noisy(folder, level):
    """A manifest of the sample clips, with noise `level` times as strong as the speech."""
    rows = []
    for clip, said in expected_texts().items():
        samples, rate = soundfile.read(clip)
        noise = np.random.default_rng(1).normal(scale=level * samples.std(), size=len(samples))
        soundfile.write(folder / clip.name, samples + noise, rate)
        rows.append({"audio_filepath": str(folder / clip.name), "text": said})
    path = folder / "dev.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_refused_where_nothing_is_gained(directory, tmp_path, capsys):
    """Greedy decoding hears these clips without a mistake."""
    manifest = noisy(tmp_path, 0.0)
    text = tmp_path / "text.txt"
    text.write_text("घङछ ठडढ\n" * 20, encoding="utf-8")
    before = (directory / "model.yaml").read_bytes()
    assert main(["language-model", str(directory), str(text), "--dev", str(manifest)]) == 1
    assert "refused" in capsys.readouterr().err
    assert (directory / "model.yaml").read_bytes() == before


def test_a_model_that_helps_is_taken(directory, manifest, tmp_path, capsys):
    """It learns the very words of the clips, and the search finds them."""
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    text = tmp_path / "text.txt"
    text.write_text("".join(row["text"] + "।\n" for row in rows) * 50, encoding="utf-8")
    status = main(["language-model", str(directory), str(text), "--dev", str(manifest)])
    assert "| chosen |" in capsys.readouterr().out
    assert status == 0
    package = load_package(directory)
    assert package.decoding == "beam"
    assert package.provenance["language_model"]["texts"].keys() == {"text.txt"}


def test_words_and_characters_weigh_alike():
    """A long bonus for letters makes a few words more right, and many letters more wrong."""
    greedy = (1000, 2000)
    assert left((580, 1450), greedy) > left((590, 1325), greedy) > left((585, 1320), greedy)
    assert left(greedy, greedy) == 2


def test_a_stop_between_the_files_leaves_a_whole_package(directory, manifest, tmp_path, monkeypatch):
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    text = tmp_path / "text.txt"
    arguments = ["language-model", str(directory), str(text), "--dev", str(manifest)]
    text.write_text("".join(row["text"] + "\n" for row in rows) * 50, encoding="utf-8")
    assert main(arguments) == 0

    def stopped(_path):
        raise KeyboardInterrupt

    monkeypatch.setattr("export.package_writer.sha256", stopped)  # between the arrays and the manifest
    text.write_text("".join(row["text"] + "\n" for row in rows) * 20, encoding="utf-8")
    with pytest.raises(KeyboardInterrupt):
        main(arguments)
    package = load_package(directory)
    assert package.decoding == "greedy"
    assert load(package)


def test_text_that_cannot_be_used(directory, manifest, tmp_path, capsys):
    empty = tmp_path / "empty.txt"
    empty.write_text("hello 123\n", encoding="utf-8")  # nothing that this vocabulary can write
    assert main(["language-model", str(directory), str(empty), "--dev", str(manifest)]) == 2
    assert "no text to learn from" in capsys.readouterr().err
    assert main(["language-model", str(directory), str(tmp_path / "missing"), "--dev", str(manifest)]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_the_embedded_model_by_both_ways(model_directory):
    package = load_package(model_directory)
    if not package.language_model:
        pytest.skip("this package has no language model")
    for way in (package, choose_decoding(package, "greedy")):
        pipeline = load(way)
        for clip, said in expected_texts().items():
            assert pipeline.transcribe(clip.read_bytes()).text == said, (way.decoding, clip)


def test_beam_search_wanted_and_none_there(directory):
    with pytest.raises(PackageError, match="language-model"):
        choose_decoding(load_package(directory).greedy(), "beam")


def test_a_damaged_file_is_named(directory):
    package = load_package(directory)
    if not package.language_model:
        pytest.skip("this package has no language model")
    path = package.language_model_path()
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(PackageError, match=r"language_model\.npz is damaged"):
        load_package(directory)
    with pytest.raises(PackageError, match="is no language model"):
        Decoders(package)
