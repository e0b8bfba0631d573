"""The cut in front of Kokoro's generator, on a graph of four nodes."""

import onnx
import pytest
from onnx import TensorProto, helper

from training.synthesis.kokoro import _GENERATOR_INPUTS, _network

FEATURES, PITCH = _GENERATOR_INPUTS


@pytest.fixture
def graph(tmp_path):
    nodes = [
        helper.make_node("Relu", ["tokens"], [FEATURES]),
        helper.make_node("Neg", ["tokens"], [PITCH]),
        helper.make_node("Add", [FEATURES, PITCH], ["sum"], name="generator"),
        helper.make_node("Tanh", ["sum"], ["audio"]),
    ]
    given = helper.make_tensor_value_info("tokens", TensorProto.FLOAT, [1, 4])
    made = helper.make_tensor_value_info("audio", TensorProto.FLOAT, [1, 4])
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(helper.make_graph(nodes, "kokoro", [given], [made])), path)
    return path


def names(network: bytes) -> tuple[list[str], list[str]]:
    model = onnx.load_from_string(network)
    return [output.name for output in model.graph.output], [node.op_type for node in model.graph.node]


def test_the_front_goes_without_the_generator(graph):
    assert names(_network(graph, "front")) == ([FEATURES, PITCH], ["Relu", "Neg"])


def test_both_keeps_everything(graph):
    assert names(_network(graph, "both")) == ([FEATURES, PITCH, "audio"], ["Relu", "Neg", "Add", "Tanh"])
    assert names(_network(graph, "all"))[0] == ["audio"]
