"""Weights in half precision: half the file, the same graph to ONNX Runtime and to our own preparing."""

import shutil

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from config.settings import Settings
from export.cli import main
from export.weights import write
from inference.package import load_package
from inference.prepared.rewriting.half_precision import halve, read_widened
from inference.prepared.rewriting.rewrite import rewrite
from inference.recogniser import OnnxRecogniser, SessionOptions
from server.startup import machine_note


@pytest.fixture(scope="module")
def stored(model_directory, tmp_path_factory):
    """The same package, by how its weights are stored."""
    packages = {}
    for weights in ("float32", "float16"):
        directory = shutil.copytree(model_directory, tmp_path_factory.mktemp("packages") / weights)
        assert main(["weights", str(directory), weights]) == 0
        packages[weights] = load_package(directory)
    return packages


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


def test_half_the_file_and_the_same_numbers(stored, tmp_path):
    single, half = stored["float32"], stored["float16"]
    assert half.model_path().stat().st_size < 0.52 * single.model_path().stat().st_size
    assert (half.graph().weights, single.graph().weights) == ("float16", "float32")
    for package in stored.values():
        rewrite(package.model_path(), tmp_path / f"{package.graph().weights}.onnx")
    assert (tmp_path / "float16.onnx").read_bytes() == (tmp_path / "float32.onnx").read_bytes()
    features = np.random.default_rng(0).normal(size=(80, 333)).astype(np.float32)
    answers = [OnnxRecogniser(package.model_path(), SessionOptions())(features) for package in stored.values()]
    np.testing.assert_array_equal(*answers)


def test_all_else_of_the_package_stays(stored, model_directory):
    before, single, half = load_package(model_directory), stored["float32"], stored["float16"]
    assert main(["weights", str(half.directory), "float16"]) == 0
    assert load_package(half.directory) == half
    assert single.fingerprint(None) != half.fingerprint(None)
    for package in stored.values():
        assert (package.int8, package.accuracy, package.confidence) == (before.int8, before.accuracy, before.confidence)
        assert {path.name for path in package.directory.iterdir()} == {path.name for path in model_directory.iterdir()}


def test_memory_for_lanes_does_not_depend_on_it(stored):
    notes = {machine_note(Settings(model=package.directory, models=package.directory)) for package in stored.values()}
    beside = [float(note.rpartition("beside ")[2].split()[0]) for note in notes]
    assert max(beside) - min(beside) <= 1


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
    halve(read)
    assert read == model


def test_half_precision_that_another_node_asks_for_is_left_alone(small, tmp_path):
    model = onnx.load(small(np.ones((40, 40), np.float32)))
    model.graph.node.append(helper.make_node("Cast", ["t0/float16"], ["double"], to=TensorProto.DOUBLE))
    onnx.save(model, tmp_path / "other.onnx")
    assert read_widened(tmp_path / "other.onnx") == model


def test_a_package_that_is_damaged_is_refused(model_directory, tmp_path, capsys):
    directory = shutil.copytree(model_directory, tmp_path / "damaged")
    (directory / "vocab.txt").write_text("")
    assert main(["weights", str(directory), "float32"]) == 2
    assert "damaged" in capsys.readouterr().err
