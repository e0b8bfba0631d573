"""Weights in fewer bits: a smaller file, the same graph to ONNX Runtime and to our own preparing."""

import shutil

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from config.settings import Settings
from export.cli import main
from export.weights import write
from inference.package import load_package
from inference.prepared.rewriting.rewrite import rewrite
from inference.prepared.rewriting.stored_weights import narrow, read_widened
from inference.recogniser import OnnxRecogniser, SessionOptions
from server.startup import machine_note


@pytest.fixture(scope="module", params=["float16", "int8"])
def stored(request, model_directory, tmp_path_factory):
    """A package whose weights are stored in fewer bits, and the same in float32 again."""
    packages = []
    source = model_directory
    for weights in (request.param, "float32"):
        directory = shutil.copytree(source, tmp_path_factory.mktemp("packages") / weights)
        assert main(["weights", str(directory), weights]) == 0
        packages.append(load_package(directory))
        source = directory
    return tuple(packages)


@pytest.fixture
def small(tmp_path):
    """Save a graph that adds to its input tensors of 40 × 40 numbers, and one of 40; halve it."""

    def save(*tensors):
        constants = [numpy_helper.from_array(tensor, f"t{place}") for place, tensor in enumerate(tensors)]
        nodes = [
            helper.make_node("Add", [f"x{place}", f"t{place}"], [f"x{place + 1}"]) for place in range(len(tensors))
        ]
        values = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [40, 40]) for name in ("x0", f"x{len(tensors)}")
        ]
        graph = helper.make_graph(nodes, "small", values[:1], values[1:], constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        write(model, tmp_path / "small.onnx", "float16")
        return tmp_path / "small.onnx"

    return save


def types(model):
    return [entry.data_type for entry in model.graph.initializer]


SHARE = {"float16": 0.52, "int8": 0.33}
"""Of the file in float32."""


def test_a_smaller_file_and_the_same_numbers(stored, tmp_path):
    fewer, single = stored
    weights = fewer.graph().weights
    assert fewer.model_path().stat().st_size < SHARE[weights] * single.model_path().stat().st_size
    assert single.graph().weights == "float32"
    for package in stored:
        rewrite(package.model_path(), tmp_path / f"{package.graph().weights}.onnx")
    assert (tmp_path / f"{weights}.onnx").read_bytes() == (tmp_path / "float32.onnx").read_bytes()
    features = np.random.default_rng(0).normal(size=(80, 333)).astype(np.float32)
    answers = [OnnxRecogniser(package.model_path(), SessionOptions())(features) for package in stored]
    np.testing.assert_array_equal(*answers)


def test_all_else_of_the_package_stays(stored, model_directory):
    before, (fewer, single) = load_package(model_directory), stored
    assert main(["weights", str(fewer.directory), fewer.graph().weights]) == 0
    assert load_package(fewer.directory) == fewer
    assert single.fingerprint(None) != fewer.fingerprint(None)
    for package in stored:
        assert (package.int8, package.accuracy, package.confidence) == (before.int8, before.accuracy, before.confidence)
        assert {path.name for path in package.directory.iterdir()} == {path.name for path in model_directory.iterdir()}


def test_memory_for_lanes_does_not_depend_on_it(stored):
    notes = [machine_note(Settings(model=package.directory, models=package.directory)) for package in stored]
    fewer, single = (float(note.rpartition("beside ")[2].split()[0]) for note in notes)
    # The table of positions is never stored in int8, so that four times the file is a little too much.
    graph = stored[1].model_path().stat().st_size / 2**20
    assert 0 <= fewer - single <= (1 if stored[0].graph().weights == "float16" else 0.2 * graph)


def test_what_half_precision_cannot_hold_stays(small):
    fits, exceeds, few = np.full((40, 40), 0.1, np.float32), np.full((40, 40), 1e5, np.float32), np.ones(40, np.float32)
    path = small(fits, exceeds, few)
    model = onnx.load(path)
    assert types(model) == [TensorProto.FLOAT16, TensorProto.FLOAT, TensorProto.FLOAT]
    assert [node.op_type for node in model.graph.node] == ["Cast", "Add", "Add", "Add"]
    read = read_widened(path)
    assert [node.op_type for node in read.graph.node] == ["Add", "Add", "Add"]
    first, *others = (numpy_helper.to_array(entry) for entry in read.graph.initializer)
    assert [entry.name for entry in read.graph.initializer] == ["t0", "t1", "t2"]
    np.testing.assert_allclose(first, fits, rtol=2**-11)
    np.testing.assert_array_equal(others[0], exceeds)
    narrow(read, "float16")
    assert read == model


def test_half_precision_that_another_node_asks_for_is_left_alone(small, tmp_path):
    model = onnx.load(small(np.ones((40, 40), np.float32)))
    model.graph.node.append(helper.make_node("Cast", ["t0/float16"], ["double"], to=TensorProto.DOUBLE))
    onnx.save(model, tmp_path / "other.onnx")
    assert read_widened(tmp_path / "other.onnx") == model


def test_each_output_of_a_product_has_its_own_levels(tmp_path):
    chance = np.random.default_rng(0)
    weights = chance.normal(size=(40, 40)).astype(np.float32) * np.logspace(-3, 3, 40, dtype=np.float32)
    kernels = (
        chance.normal(size=(40, 40, 3)).astype(np.float32) * np.logspace(3, -3, 40, dtype=np.float32)[:, None, None]
    )
    kernels[7], table = 0, chance.normal(size=(40, 40)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "weights"], ["product"]),
        helper.make_node("Add", ["product", "table"], ["sum"]),
        helper.make_node("Conv", ["sum", "kernels"], ["y"], pads=[1, 1]),
    ]
    constants = [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(kernels, "kernels")]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 40, 40]) for name in ("x", "y")]
    graph = helper.make_graph(
        nodes, "small", values[:1], values[1:], [*constants, numpy_helper.from_array(table, "table")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    write(model, tmp_path / "small.onnx", "int8")
    read = {
        entry.name: numpy_helper.to_array(entry) for entry in read_widened(tmp_path / "small.onnx").graph.initializer
    }
    assert set(read) == {"weights", "kernels", "table"}
    assert np.all(np.abs(read["weights"] - weights).max(0) <= np.abs(weights).max(0) / 253)
    assert np.all(np.abs(read["kernels"] - kernels).max((1, 2)) <= np.abs(kernels).max((1, 2)) / 253)
    np.testing.assert_allclose(read["table"], table, rtol=2**-11, atol=1e-7)
    assert not np.array_equal(read["weights"], weights)


def test_a_scale_that_another_node_asks_for_stays(tmp_path):
    weights = np.random.default_rng(0).normal(size=(40, 40)).astype(np.float32)
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [40, 40]) for name in ("x", "y")]
    constants = [numpy_helper.from_array(weights, "weights")]
    nodes = [helper.make_node("MatMul", ["x", "weights"], ["y"])]
    graph = helper.make_graph(nodes, "small", values[:1], values[1:], constants)
    write(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "small.onnx", "int8")
    model = onnx.load(tmp_path / "small.onnx")
    model.graph.node.append(helper.make_node("Identity", ["weights/scale"], ["scale"]))
    onnx.save(model, tmp_path / "other.onnx")
    read = read_widened(tmp_path / "other.onnx")
    onnx.checker.check_model(read)
    assert [node.op_type for node in read.graph.node] == ["Mul", "MatMul", "Identity"]


def test_a_package_that_is_damaged_is_refused(model_directory, tmp_path, capsys):
    directory = shutil.copytree(model_directory, tmp_path / "damaged")
    (directory / "vocab.txt").write_text("")
    assert main(["weights", str(directory), "float32"]) == 2
    assert "damaged" in capsys.readouterr().err
