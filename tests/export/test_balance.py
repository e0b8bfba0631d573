"""Weights that bear rounding better are the same function, and come nearer to fp32 once they are rounded."""

import dataclasses

import numpy as np
import pytest

from export.calibration import measure_reach
from export.candidates import groups
from export.package_writer import CALIBRATION_FILE
from inference.audio import decode as audio
from inference.features import Featurizer
from inference.package import PackageFile, load_package
from inference.prepared.rewriting import rewrite_apart
from inference.prepared.rewriting.balance import balanced, read_reach
from inference.prepared.rewriting.exported import Exported, UnknownGraph
from inference.prepared.rewriting.rewrite import write
from inference.recogniser import OnnxRecogniser, SessionOptions
from inference.types import AudioLimits, Int8Plan
from tests.samples import sentence_of

LARGEST = 1e-3  # of a difference of log-probabilities between two ways to the same function in fp32
PLAN = Int8Plan(tuple(kind for group in groups() for kind in group), (), (6.0, 18.0), 7)


@pytest.fixture(scope="module")
def package(model_directory):
    return load_package(model_directory)


@pytest.fixture(scope="module")
def exported(package):
    return Exported(package.model_path())


@pytest.fixture(scope="module")
def features(package):
    """Of all sample clips, cut up in many ways: as they are, they would be too few to tell better from luckier."""
    featurizer = Featurizer(package.features)
    cuts = [sentence_of(3.0, seed) for seed in range(24)]
    return [featurizer(audio.decode(cut, AudioLimits(), 16_000).waveform) for cut in cuts]


@pytest.fixture(scope="module")
def reach(exported, features):
    return measure_reach(exported, features)


@pytest.fixture
def answers(features, tmp_path):
    def answers(exported, plan):
        write(exported, tmp_path / "graph.onnx", plan)
        model = OnnxRecogniser(tmp_path / "graph.onnx", SessionOptions())
        return np.concatenate([model(clip) for clip in features])

    return answers


def divergence(expected, found):
    return (np.exp(expected) * (expected - found)).sum(axis=1).mean()


def test_the_same_function(exported, reach, answers):
    expected = answers(exported, None)
    assert np.abs(answers(balanced(exported, reach), None) - expected).max() < LARGEST


def test_nearer_to_fp32_in_int8(exported, reach, answers):
    expected = answers(exported, None)
    before, spread, grouped = (
        divergence(expected, answers(model, dataclasses.replace(PLAN, groups=count)))
        for model, count in ((exported, 1), (balanced(exported, reach), 1), (balanced(exported, reach), 4))
    )
    assert 0 < grouped < min(0.7 * before, spread)


def test_channels_of_like_range_are_neighbours(exported, reach, features):
    after = measure_reach(balanced(exported, reach), features)
    for name, found in after.items():
        if name.endswith("linear2"):
            np.testing.assert_allclose(found, np.sort(reach[name])[::-1], rtol=0.01, atol=0.01)


def test_in_a_file(package, exported, reach, tmp_path):
    """What a package holds is what the process that prepares its graph goes by, and another one is another graph."""
    path, prepared, expected = (tmp_path / name for name in (CALIBRATION_FILE, "prepared.onnx", "expected.onnx"))
    np.savez_compressed(path, **reach)
    assert rewrite_apart(package.model_path(), prepared, PLAN, path) == ""
    write(balanced(exported, reach), expected, PLAN)
    assert prepared.read_bytes() == expected.read_bytes()
    planned = dataclasses.replace(package, calibration=PackageFile(path.name, "0"))
    other = dataclasses.replace(package, calibration=PackageFile(path.name, "1"))
    assert planned.fingerprint(PLAN) != other.fingerprint(PLAN)
    assert planned.fingerprint(None) == other.fingerprint(None)


def test_what_does_not_fit(exported, reach, tmp_path):
    with pytest.raises(UnknownGraph, match="does not fit"):
        balanced(exported, dict(list(reach.items())[1:]))
    with pytest.raises(UnknownGraph, match="does not fit"):
        balanced(exported, {name: found[1:] for name, found in reach.items()})
    (tmp_path / "empty.npz").write_text("nothing")
    with pytest.raises(UnknownGraph, match="cannot be read"):
        read_reach(tmp_path / "empty.npz")
