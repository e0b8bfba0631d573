"""Products in eight bits on this processor: the sums are exact, at the worst that weights and activations can be."""

import numpy as np
import onnxruntime as ort
import pytest

from inference.machine import int8_weight_bits
from inference.prepared.rewriting import products
from inference.prepared.rewriting.graph import Graph, integers
from inference.prepared.rewriting.products import Products, quantise
from inference.prepared.rewriting.subsampling import subsampling
from inference.types import Int8Plan

INPUTS, OUTPUTS, ROWS = 1024, 48, 7
BITS = pytest.mark.parametrize("bits", [8, 7])


@pytest.fixture
def run(tmp_path):
    """Build a graph on a matrix and run it."""

    def run(matrix, plan, build):
        graph = Graph()
        x = graph("Squeeze", "audio_signal", integers(0))
        options = ort.SessionOptions()
        options.log_severity_level = 3  # the output has another shape than a model's
        graph.save(tmp_path / "graph.onnx", len(matrix), build(Products(graph, plan), x))
        session = ort.InferenceSession(str(tmp_path / "graph.onnx"), options, providers=["CPUExecutionProvider"])
        return session.run(None, {"audio_signal": matrix[None], "length": np.array([matrix.shape[1]])})[0]

    return run


@pytest.fixture(params=["largest", "smallest", "signs in turn", "random"])
def weights(request):
    """Where every sum is as far from nought as can be, and where none is."""
    found = np.random.default_rng(0).normal(size=(INPUTS, OUTPUTS)).astype(np.float32)
    if request.param == "signs in turn":
        found = np.where(np.arange(INPUTS)[:, None] % 2, -1, 1) * np.ones_like(found)
    elif request.param != "random":
        found = np.full_like(found, 1 if request.param == "largest" else -1)
    return found


def activations():
    """Whole numbers from 0 to 255, so that rounding them changes nothing; most of them the largest."""
    found = np.random.default_rng(1).choice([0, 254, 255], p=[0.1, 0.1, 0.8], size=(ROWS, INPUTS)).astype(np.float32)
    found[0, :2] = 0, 255
    return found


@BITS
@pytest.mark.parametrize("way", ["once", "twice"])
def test_sums_are_exact(run, weights, bits, way):
    x = activations()
    found = run(x, Int8Plan(**{way: ("linear1",)}, weight_bits=bits), lambda make, x: make("linear1", x, weights))
    whole, scales = quantise(weights, bits)
    expected = x.astype(np.int64) @ whole.astype(np.int64)
    np.testing.assert_allclose(found / scales.astype(float), expected, rtol=1e-6)  # float32 outside the sums


class FlatSubsampling:
    """In place of a model: the first convolution answers 255 everywhere, the second has nearly equal weights, and the
    linear layer passes the sixth band of four channels on."""

    mel_bins, channels, bands = 40, 32, 10
    kernels = np.ones((channels, channels, 3, 3), dtype=np.float32)
    kernels[:, ::2] = 0.9
    largest = 9 * channels * 0.95 * 255

    def convolution(self, module):
        if module.endswith("conv.0"):
            return np.zeros((self.channels, 1, 3, 3), dtype=np.float32), np.full(self.channels, 255, dtype=np.float32)
        return self.kernels, np.zeros(self.channels, dtype=np.float32)

    def product(self, _):
        linear = np.zeros((self.channels, self.bands, 4), dtype=np.float32)
        linear[range(4), 5, range(4)] = 1
        return linear.reshape(-1, 4)

    def parameter(self, _):
        return np.zeros(4, dtype=np.float32)

    def scale(self):
        return 1.0


@BITS
def test_sums_of_the_subsampling_are_exact(run, bits):
    model = FlatSubsampling()
    plan = Int8Plan(("pre_encode",), (), (255.0, model.largest), bits)
    found = run(np.zeros((model.mel_bins, 32), dtype=np.float32), plan, lambda make, _: subsampling(make, model))
    np.testing.assert_allclose(found[1:-1], model.largest, rtol=0.01)  # the first step and the last see the margin


@pytest.mark.skipif(int8_weight_bits() != 7, reason="this processor sums in 32 bits")
def test_signed_weights_of_eight_bits_would_be_cut_off_here(run, monkeypatch):
    """What the tests above would find: they can fail."""
    monkeypatch.setattr(products, "int8_weight_bits", lambda: 8)
    x, weights = activations(), np.ones((INPUTS, OUTPUTS), dtype=np.float32)
    found = run(x, Int8Plan(("linear1",)), lambda make, x: make("linear1", x, weights))
    assert found.max() < 0.6 * (x @ weights).max()


@BITS
def test_no_weight_is_larger_than_its_bits_allow(weights, bits):
    whole, scales = quantise(weights, bits)
    assert np.abs(whole).max() == {8: 127, 7: 64}[bits]
    assert np.abs(whole * scales - weights).max() <= scales.max() / 2 * 1.001
