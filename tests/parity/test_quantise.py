"""The accuracy gate, with a real graph that int8 harms and one that it cannot harm."""

import json

import numpy as np
import onnx
import pytest
import soundfile

from export.cli import main
from export.convert import Labels, write_package
from export.random_model import Shape, random_checkpoint
from export.verify import PackageStages, read
from inference.package import load_package
from inference.pipeline import Pipeline
from tests.parity.signals import SAMPLE_RATE, voice


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    # Many, so that no recipe can be let through by luck.
    paths = [folder / f"{seed}.wav" for seed in range(20)]
    for seed, path in enumerate(paths):
        soundfile.write(path, voice(5 * SAMPLE_RATE + 777 * seed, seed), SAMPLE_RATE)
    return paths


def package_and_manifest(checkpoint, clips, folder):
    """A package, and a manifest that says what its float graph hears, so that its WER is 0."""
    package = write_package(checkpoint, folder / "model", Labels("tiny", "hi", "none"))
    pipeline = Pipeline(package)
    rows = [{"audio_filepath": str(clip), "text": pipeline.transcribe(clip.read_bytes()).text} for clip in clips]
    manifest = folder / "dev.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return package, manifest


def tiny(seed):
    return random_checkpoint(Shape(width=32, layers=2, heads=4, positions=300), seed=seed)


def test_refused(clips, tmp_path, capsys):
    # Untrained, a model is sure of nothing: rounding changes its texts.
    package, manifest = package_and_manifest(tiny(3), clips, tmp_path)
    before = {path.name: path.read_bytes() for path in package.directory.iterdir()}
    assert main(["quantise", str(package.directory), "--dev", str(manifest)]) == 1
    printed = capsys.readouterr()
    assert printed.err.strip().splitlines()[-1].startswith("refused: WER rises by ")
    assert "| chosen |" not in printed.out
    assert {path.name: path.read_bytes() for path in package.directory.iterdir()} == before


def test_accepted(clips, tmp_path, capsys):
    import torch

    checkpoint = tiny(3)
    with torch.no_grad():
        checkpoint.model.decoder.decoder_layers[0].bias[5] += 100  # sure of one piece, whatever it hears
    package, manifest = package_and_manifest(checkpoint, clips[:1], tmp_path)
    report = tmp_path / "report.md"
    arguments = ["quantise", str(package.directory), "--dev", str(manifest), "--report", str(report)]
    assert main(arguments) == 0
    assert main(arguments) == 0  # and a second time, over the first
    assert report.read_text().count("| chosen |") == 1
    assert report.read_text() in capsys.readouterr().out

    quantised = load_package(package.directory)
    assert quantised.models["fp32"] == package.models["fp32"]
    assert set(quantised.models) == {"fp32", "int8"}
    assert quantised.provenance["int8"]["largest_rise_of_wer"] == 0
    assert quantised.model_path("int8").stat().st_size < quantised.model_path().stat().st_size
    assert [path.name for path in package.directory.iterdir() if path.name.startswith(".")] == []
    metadata = {entry.key for entry in onnx.load(quantised.model_path("int8")).metadata_props}
    assert metadata >= {"vocab_size", "subsampling_factor", "normalize_type"}
    waveform = read(clips[0], quantised)
    exact, rounded = (PackageStages(quantised, precision)(waveform) for precision in ("fp32", "int8"))
    assert 0 < np.abs(exact.log_probabilities - rounded.log_probabilities).max() < 1


def test_bad_manifest(clips, tmp_path, capsys):
    package, _ = package_and_manifest(tiny(3), clips[:1], tmp_path)
    assert main(["quantise", str(package.directory), "--dev", str(tmp_path / "missing.jsonl")]) == 2
    assert "cannot be read" in capsys.readouterr().err
