"""The accuracy gate, with the real model, on the sample clips."""

import itertools
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from evaluation.manifest import read_manifests
from export import candidates, gate, quantise
from export.cli import main
from inference.loading import load
from inference.machine import int8_weight_bits
from inference.package import load_package
from inference.prepared.rewriting.exported import Exported
from inference.prepared.rewriting.rewrite import write
from inference.types import Int8Plan
from tests.samples import CLIPS


@pytest.fixture
def directory(model_directory, tmp_path):
    """A copy of the package."""
    return shutil.copytree(model_directory, tmp_path / "model")


@pytest.fixture
def manifest(directory, tmp_path):
    """What fp32 hears in the clips, so that its WER is 0."""
    path = tmp_path / "dev.jsonl"
    exact = load(load_package(directory), precision="fp32")
    rows = [{"audio_filepath": str(clip), "text": exact.transcribe(clip.read_bytes()).text} for clip in CLIPS]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.measuring
def test_refused(directory, manifest, monkeypatch, capsys):
    monkeypatch.setattr(gate, "LARGEST_RISE", -1.0)  # nobody passes
    monkeypatch.setattr(quantise, "plans", lambda *sought: candidates.plans(*sought)[:1])  # all of them take minutes
    assert main(["quantise", str(directory), "--dev", str(manifest)]) == 1
    printed = capsys.readouterr()
    assert printed.err.strip().splitlines()[-1].startswith("refused: WER rises by ")
    assert "| chosen |" not in printed.out
    assert load_package(directory).int8 == ()


@pytest.mark.measuring
def test_accepted(directory, manifest, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gate, "LARGEST_RISE", 100.0)  # everybody passes
    clock = itertools.count()  # every graph seems slower than the one before
    monkeypatch.setattr(gate, "time", SimpleNamespace(thread_time=lambda: next(clock) ** 2.0))
    before = load_package(directory)
    report = tmp_path / "report.md"
    arguments = ["quantise", str(directory), "--dev", str(manifest), "--report", str(report)]
    assert main(arguments) == 0
    assert report.read_text(encoding="utf-8") in capsys.readouterr().out
    assert report.read_text(encoding="utf-8").count("| chosen |") == 2
    package = load_package(directory)
    assert package.models == before.models
    assert [plan.weight_bits for plan in package.int8] == [8, 7]
    assert all("pre_encode" in plan.once and not plan.twice for plan in package.int8)  # the fastest one is tried first
    assert all(min(plan.ranges) > 0 for plan in package.int8)
    assert [set(package.provenance["int8"][name]["wer"]) for name in ("int8", "int8-w7")] == [{"dev"}, {"dev"}]
    if int8_weight_bits():
        assert load(package, cache=tmp_path / "cache").precision.startswith("int8")

    other = shutil.copytree(before.directory, tmp_path / "other")
    assert main(["quantise", str(other), "--like", str(directory)]) == 0
    taken = load_package(other)
    assert [(plan.once, plan.twice) for plan in taken.int8] == [(plan.once, plan.twice) for plan in package.int8]
    assert taken.provenance["int8"]["gate"] == "none"


@pytest.mark.measuring
def test_a_stop_between_the_files_leaves_a_whole_package(directory, manifest, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(gate, "LARGEST_RISE", 100.0)
    monkeypatch.setattr(quantise, "plans", lambda *sought: candidates.plans(*sought)[:1])
    monkeypatch.setattr(quantise, "_install", stopped)  # between the arrays and the manifest
    with pytest.raises(KeyboardInterrupt):
        main(["quantise", str(directory), "--dev", str(manifest)])
    assert load_package(directory).int8 == ()


def test_a_graph_that_int8_harms_is_refused(directory, manifest, tmp_path):
    package = load_package(directory)
    development = gate.DevelopmentSet(package, read_manifests([manifest]))
    reference = development.measure("fp32", package.model_path())
    graph = tmp_path / "harmed.onnx"
    write(Exported(package.model_path()), graph, Int8Plan(once=("pre_encode",), ranges=(0.01, 0.01)))  # all is cut off
    harmed = development.measure("int8", graph)
    assert reference.passes(reference)
    assert harmed.worse(reference) > 1
    assert not harmed.passes(reference)


def measured(directory, *sets):
    """A graph that makes so many errors in each clip; `sets` are clips of five words."""
    counts = {str(name): np.array([(errors, 5) for errors in clips]) for name, clips in enumerate(sets)}
    return gate.Measured("", directory, {}, counts, 1.0)


@pytest.mark.parametrize(("errors", "passes"), [(90, True), (100, True), (102, True), (103, False)])
def test_the_gate_lets_two_tenths_of_a_point_through_over_all_clips(tmp_path, errors, passes):
    before = measured(tmp_path, [1] * 100 + [0] * 100)
    assert measured(tmp_path, [1] * errors + [0] * (200 - errors)).passes(before) is passes


@pytest.mark.parametrize(("lost", "passes"), [(3, True), (30, False)])
def test_no_set_loses_more_than_chance_explains(tmp_path, lost, passes):
    many, few = [0] * 5000, [0] * 100
    before = measured(tmp_path, many, few)
    assert measured(tmp_path, many, [1] * lost + [0] * (100 - lost)).passes(before) is passes


def test_texts_of_something_else_judge_nothing(directory, manifest, capsys):
    rows = [json.loads(line) | {"text": "namaste duniya"} for line in manifest.read_text(encoding="utf-8").splitlines()]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    before = load_package(directory).int8
    assert main(["quantise", str(directory), "--dev", str(manifest)]) == 2
    assert "are these its texts?" in capsys.readouterr().err
    assert load_package(directory).int8 == before


def test_bad_manifest(directory, tmp_path, capsys):
    assert main(["quantise", str(directory), "--dev", str(tmp_path / "missing.jsonl")]) == 2
    assert "cannot be read" in capsys.readouterr().err
