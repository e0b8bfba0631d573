"""Figures that go into a package's model.yaml."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from evaluation.scoring import score
from export.package_writer import write_manifest
from inference.loading import choose_decoding
from inference.package import load_package
from tests.samples import CLIPS
from training.evaluate import record, transcribe

MANIFEST = Path("testsets/unseen/manifest.jsonl")


def figures(directory):
    return [(row.get("decoding"), row["precision"], row["wer"]) for row in load_package(directory).accuracy]


@pytest.fixture
def directory(model_directory, tmp_path):
    directory = shutil.copytree(model_directory, tmp_path / "model")
    old = {"set": "unseen", "precision": "fp32", "clips": 1, "wer": 99.0, "cer": 9.0}  # from before language models
    write_manifest(dataclasses.replace(load_package(directory), accuracy=(old,)))
    return directory


def test_a_figure_takes_the_place_of_the_older_one_of_its_way_of_decoding(directory):
    package = load_package(directory)
    wrong, right = score(["एक दो"], ["एक तीन"]), score(["एक दो"], ["एक दो"])
    record(package, MANIFEST, "fp32", wrong)
    assert figures(directory) == [(None, "fp32", 99.0), (package.decoding, "fp32", 50.0)]
    record(choose_decoding(package, "greedy"), MANIFEST, "fp32", wrong)
    record(package, MANIFEST, "fp32", right)
    assert figures(directory) == [("greedy", "fp32", 50.0), (package.decoding, "fp32", 0.0)]
    assert load_package(directory).language_model == package.language_model


def test_clips_can_be_heard_as_recordings_are(pipeline, spoken_texts):
    rows = [{"audio_filepath": str(path)} for path in CLIPS]
    heard = []
    pipeline.on_window = heard.append
    try:
        texts = [transcribe(pipeline, rows, as_recordings=windows) for windows in (False, True)]
    finally:
        pipeline.on_window = lambda _: None
    assert texts == 2 * [[spoken_texts[path] for path in CLIPS]]
    assert len(heard) == len(CLIPS)
