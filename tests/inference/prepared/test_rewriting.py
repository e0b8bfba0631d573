"""The graph written anew: the same function, or left alone."""

import numpy as np
import onnx
import pytest

from inference.audio import decode as audio
from inference.features import Featurizer
from inference.machine import int8_weight_bits
from inference.package import load_package
from inference.pipeline import Pipeline, Prepared
from inference.prepared import prepare as prepared
from inference.prepared.rewriting import attention
from inference.prepared.rewriting.exported import UnknownGraph
from inference.prepared.rewriting.rewrite import rewrite
from inference.recogniser import OnnxRecogniser, SessionOptions
from inference.types import AudioLimits, Int8Plan
from tests.samples import CLIPS, DATA, sentence_of

RELATIVE, ABSOLUTE = DATA / "rel_pos.onnx", DATA / "abs_pos.onnx"
TOLERANCE = 1e-4  # of log-probabilities


def answer(path, frames):
    features = np.random.default_rng(frames).normal(size=(80, frames)).astype(np.float32)
    return OnnxRecogniser(path, SessionOptions())(features)


@pytest.fixture(scope="module")
def package(model_directory):
    return load_package(model_directory)


@pytest.fixture(scope="module")
def exported(package):
    return package.model_path()


@pytest.fixture(scope="module")
def rewritten(exported, tmp_path_factory):
    path = tmp_path_factory.mktemp("rewriting") / "rewritten.onnx"
    rewrite(exported, path)
    return path


@pytest.fixture
def change(exported, tmp_path):
    """Save a copy of the exported graph in which a function has changed some node."""

    def save(name, function):
        graph = onnx.load(exported)
        function(next(node for node in graph.graph.node if node.name == name))
        path = tmp_path / "changed.onnx"
        onnx.save(graph, path)
        return path

    return save


def test_same_at_every_length(package, exported, rewritten):
    # Of speech: how far white noise, which is none, magnifies what rounding does depends on the weights.
    decoded = audio.decode(sentence_of(30.0), AudioLimits("clip", limit_seconds=30.0), package.features.sample_rate)
    speech = Featurizer(package.features)(decoded.waveform)
    original, ours = OnnxRecogniser(exported, SessionOptions()), OnnxRecogniser(rewritten, SessionOptions())
    for frames in (*range(1, 14), 50, 101, 247, 500, 998, 1503, 3000):  # up to 30 s, in all remainders by four
        features = speech[:, :frames]
        assert features.shape[1] == frames
        np.testing.assert_allclose(ours(features), original(features), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("exported", [RELATIVE, ABSOLUTE], ids=lambda path: path.stem)
def test_both_kinds_of_attention_at_every_length(exported, tmp_path):
    path = tmp_path / "rewritten.onnx"
    rewrite(exported, path)
    for frames in (*range(1, 14), 50, 101, 500, 998, 3000, 3037):  # up to the end of the positional table
        np.testing.assert_allclose(answer(path, frames), answer(exported, frames), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("exported", [RELATIVE, ABSOLUTE], ids=lambda path: path.stem)
def test_both_kinds_of_attention_in_eight_bits(exported, tmp_path):
    bits, path = int8_weight_bits(), tmp_path / "rewritten.onnx"
    if bits is None:
        pytest.skip("this processor computes nothing faster in eight bits")
    rewrite(exported, path, Int8Plan(once=("linear_q", "linear_k", "linear_v", "linear_out"), weight_bits=bits))
    difference = np.abs(answer(path, 300) - answer(exported, 300)).mean()
    assert 1e-5 < difference < 0.1, "rounded, and to the same function"


@pytest.mark.parametrize("ready", [1, 25, 26])
def test_same_on_both_sides_of_the_tables_end(tmp_path, monkeypatch, ready):
    monkeypatch.setattr(attention, "_READY_STEPS", ready)
    path = tmp_path / "rewritten.onnx"
    rewrite(RELATIVE, path)
    for frames in (4, 100, 104, 300):  # 1, 25, 26 and 75 steps
        np.testing.assert_allclose(answer(path, frames), answer(RELATIVE, frames), rtol=0, atol=TOLERANCE)


def test_same_texts_from_the_graph_that_lanes_load(package, pipeline, tmp_path):
    graph = prepared.prepare(package, None, tmp_path)
    ready = Pipeline(package, prepared=Prepared(graph, tmp_path, "fp32"))
    for clip in CLIPS:
        assert ready.transcribe(clip.read_bytes()).text == pipeline.transcribe(clip.read_bytes()).text


def test_lanes_load_the_rewritten_graph(package, tmp_path):
    path = prepared.prepare(package, None, tmp_path)
    operators = {node.op_type for node in onnx.load(path, load_external_data=False).graph.node}
    assert operators.isdisjoint({"Where", "Pad", "Expand", "Range"})  # what masks are made of
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["model.onnx", "model.weights"]


def test_a_graph_that_lacks_a_name_is_unknown(change, tmp_path):
    path = change("/layers.1/self_attn/linear_k/MatMul", lambda node: setattr(node, "name", "another"))
    with pytest.raises(UnknownGraph, match="linear_k"):
        rewrite(path, tmp_path / "rewritten.onnx")


def sharper(normalisation):
    next(entry for entry in normalisation.attribute if entry.name == "epsilon").f = 1.0


def test_a_graph_that_computes_something_else_is_left_alone(change, tmp_path):
    path = change("/layers.1/norm_conv/LayerNormalization", sharper)
    with pytest.raises(UnknownGraph, match="answers otherwise"):
        rewrite(path, tmp_path / "rewritten.onnx")
    assert not (tmp_path / "rewritten.onnx").exists()


def test_a_graph_that_is_left_alone_serves(change, tmp_path):
    path = change("/layers.1/norm_conv/LayerNormalization", sharper)
    directory = tmp_path / "cache" / "prepared"
    directory.mkdir(parents=True)
    prepared.make(path, directory)
    np.testing.assert_array_equal(answer(directory / "model.onnx", 100), answer(path, 100))
