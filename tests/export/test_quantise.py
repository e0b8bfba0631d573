"""The accuracy gate, with the real model, on the sample clips."""

import json
import shutil

import pytest

from export import gate
from export.cli import main
from inference.cpu import has_int8_products
from inference.loading import load
from inference.package import load_package
from tests.samples import CLIPS


@pytest.fixture
def directory(model_directory, tmp_path):
    """A copy of the package."""
    return shutil.copytree(model_directory, tmp_path / "model")


@pytest.fixture
def manifest(tmp_path, library_texts):
    """What fp32 hears in the clips, so that its WER is 0."""
    path = tmp_path / "dev.jsonl"
    rows = [{"audio_filepath": str(clip), "text": library_texts[clip]} for clip in CLIPS]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_refused(directory, manifest, monkeypatch, capsys):
    monkeypatch.setattr(gate, "LARGEST_RISE", -1.0)  # nobody passes
    assert main(["quantise", str(directory), "--dev", str(manifest)]) == 1
    printed = capsys.readouterr()
    assert printed.err.strip().splitlines()[-1].startswith("refused: WER rises by ")
    assert "| chosen |" not in printed.out
    assert load_package(directory).int8 is None


def test_accepted(directory, manifest, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gate, "LARGEST_RISE", 100.0)  # everybody passes
    before = load_package(directory)
    report = tmp_path / "report.md"
    arguments = ["quantise", str(directory), "--dev", str(manifest), "--report", str(report)]
    assert main(arguments) == 0
    assert report.read_text(encoding="utf-8") in capsys.readouterr().out
    assert report.read_text(encoding="utf-8").count("| chosen |") == 1
    package = load_package(directory)
    assert package.models == before.models
    assert "pre_encode" in package.int8.once  # the fastest plan is tried first
    assert min(package.int8.ranges) > 0
    assert set(package.provenance["int8"]["wer"]) == {"dev"}
    if has_int8_products():
        assert load(package, cache=tmp_path / "cache").precision == "int8"

    other = shutil.copytree(before.directory, tmp_path / "other")
    assert main(["quantise", str(other), "--like", str(directory)]) == 0
    taken = load_package(other)
    assert (taken.int8.once, taken.int8.twice) == (package.int8.once, package.int8.twice)
    assert taken.provenance["int8"]["gate"] == "none"


def test_bad_manifest(directory, tmp_path, capsys):
    assert main(["quantise", str(directory), "--dev", str(tmp_path / "missing.jsonl")]) == 2
    assert "cannot be read" in capsys.readouterr().err
