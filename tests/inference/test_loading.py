"""What is loaded when not all can be had, and how that is said."""

import dataclasses
import shutil

import onnx
import pytest

from inference.loading import load
from inference.package import GraphFile, load_package
from inference.types import Int8Plan

PLANS = (Int8Plan(once=("linear1",)), Int8Plan(once=("linear1",), weight_bits=7))


@pytest.fixture
def package(model_directory):
    return load_package(model_directory)


@pytest.fixture
def unknown(package, tmp_path):
    """A package with a graph that is not rewritten, since it computes something else."""
    directory = shutil.copytree(package.directory, tmp_path / "package")
    graph = onnx.load(package.model_path())
    node = next(node for node in graph.graph.node if node.name == "/layers.1/norm_conv/LayerNormalization")
    next(entry for entry in node.attribute if entry.name == "epsilon").f = 1.0
    onnx.save(graph, directory / "changed.onnx")
    models = {"fp32": GraphFile("changed.onnx", "1" * 64)}
    return dataclasses.replace(package, directory=directory, models=models, int8=())


def test_nothing_to_warn_of(package, tmp_path):
    assert load(package, cache=tmp_path).warnings == ()


def test_a_cache_that_cannot_be_written(package, tmp_path):
    cache = tmp_path / "file"
    cache.touch()
    loaded = load(package, cache=cache)
    assert (loaded.precision, loaded.prepared) == ("fp32", False)
    (warning,) = loaded.warnings
    assert str(cache) in warning


def test_a_graph_that_is_not_rewritten(unknown, tmp_path):
    for _ in range(2):  # the process that made it, and those that find it made
        loaded = load(unknown, cache=tmp_path / "cache")
        assert (loaded.precision, loaded.prepared) == ("fp32", True)
        (warning,) = loaded.warnings
        assert "answers otherwise" in warning


def test_int8_that_falls_back(unknown, tmp_path):
    loaded = load(dataclasses.replace(unknown, int8=PLANS), cache=tmp_path / "cache")
    assert (loaded.precision, loaded.prepared) == ("fp32", True)
    assert "int8" in loaded.warnings[0]
    assert "answers otherwise" in loaded.warnings[0]
