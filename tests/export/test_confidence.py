"""`python -m export calibrate` and `reliability`, with the real model on the sample clips."""

import json
import shutil

import numpy as np
import pytest
import soundfile

from evaluation.reliability import Judged
from export import confidence
from export.cli import main
from export.errors import ExportError
from inference.decoding.confidence import confidence as told
from inference.package import load_package
from tests.samples import expected_texts


@pytest.fixture
def directory(model_directory, tmp_path):
    return shutil.copytree(model_directory, tmp_path / "model")


@pytest.fixture
def manifest(tmp_path):
    """The clips, so noisy that words are wrong."""
    rows = []
    for clip, said in expected_texts().items():
        samples, rate = soundfile.read(clip)
        noise = np.random.default_rng(1).normal(scale=samples.std() / 2, size=len(samples))
        soundfile.write(tmp_path / clip.name, samples + noise, rate)
        rows.append({"audio_filepath": str(tmp_path / clip.name), "text": said})
    path = tmp_path / "dev.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_curves_are_learnt_and_shown(directory, manifest, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(confidence, "_LEAST_WORDS", 10)
    assert main(["calibrate", str(directory), "--dev", str(manifest)]) == 0
    package = load_package(directory)
    assert package.confidence.keys() == {"greedy", "beam"}
    assert package.provenance["confidence"]["manifests"].keys() == {f"{tmp_path.name}/dev.jsonl"}
    capsys.readouterr()
    picture = tmp_path / "picture.png"
    assert main(["reliability", str(directory), str(manifest), "--picture", str(picture)]) == 0
    assert "| dev | beam |" in capsys.readouterr().out
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_too_few_words_change_nothing(directory, manifest, capsys):
    before = (directory / "model.yaml").read_bytes()
    assert main(["calibrate", str(directory), "--dev", str(manifest)]) == 2
    assert "words were heard" in capsys.readouterr().err
    assert (directory / "model.yaml").read_bytes() == before


@pytest.mark.parametrize("seed", range(5))
def test_a_curve_makes_scores_true(seed):
    chance = np.random.default_rng(seed)
    scores = chance.beta(0.5, 0.5, size=3000).round(4)
    judged = Judged(scores, chance.random(3000) < 0.3 + 0.7 * scores**3)
    curve = confidence.fitted(judged)
    true = Judged(np.array([told(score, curve) for score in scores]), judged.right)
    assert true.error() < 0.04 < judged.error()
    assert true.cross_entropy > judged.cross_entropy


def test_scores_that_are_all_alike_have_a_curve_too():
    judged = Judged(np.full(400, 0.5), np.arange(400) % 4 > 0)
    curve = confidence.fitted(judged)
    assert told(0.1, curve) == told(0.9, curve) == pytest.approx(301 / 402, abs=1e-4)
    with pytest.raises(ExportError, match="299 words"):
        confidence.fitted(Judged(judged.confidence[:299], judged.right[:299]))
