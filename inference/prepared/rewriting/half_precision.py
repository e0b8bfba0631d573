"""Weights stored in half precision: half the file, and the same graph to every program that reads ONNX.

A large float32 tensor lies in the file as float16, and a standard `Cast` makes of it what the graph had, by the name
that it had; all other nodes stay as they are. ONNX Runtime computes such casts once, while it loads a graph. Here they
are computed before a graph is rewritten, which then has float32 weights like any other, rounded to eleven bits.
"""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_SMALLEST = 1024  # numbers; biases and normalisations, which are few, stay exact
_LARGEST = float(np.finfo(np.float16).max)


def read_widened(path: Path) -> onnx.ModelProto:
    """Read a graph; what lies in the file in half precision is float32 again, under the names that nodes ask for."""
    model = onnx.load(path)
    graph = model.graph
    uses = Counter(name for node in graph.node for name in node.input)
    casts = {
        node.input[0]: node
        for node in graph.node
        if node.op_type == "Cast" and node.attribute[0].i == TensorProto.FLOAT and uses[node.input[0]] == 1
    }
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT16 and tensor.name in casts:
            cast = casts[tensor.name]
            weights = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(weights, cast.output[0]))
            graph.node.remove(cast)
    return model


def halve(model: onnx.ModelProto) -> None:
    """Store large float32 tensors as float16; those with larger numbers than float16 knows stay as they are."""
    graph = model.graph
    for node in [node for node in graph.node if node.op_type == "Constant"]:
        weights = numpy_helper.to_array(node.attribute[0].t)
        if _can_be_halved(weights):
            graph.initializer.append(numpy_helper.from_array(weights, node.output[0]))
            graph.node.remove(node)
    casts = []
    for tensor in graph.initializer:
        weights, name = numpy_helper.to_array(tensor), tensor.name
        if _can_be_halved(weights):
            half = f"{name}/float16"
            casts.append(helper.make_node("Cast", [half], [name], f"{half}/Cast", to=TensorProto.FLOAT))
            tensor.CopyFrom(numpy_helper.from_array(weights.astype(np.float16), half))
    nodes = [*casts, *graph.node]  # before those that use them
    del graph.node[:]
    graph.node.extend(nodes)


def _can_be_halved(weights: np.ndarray) -> bool:
    return weights.dtype == np.float32 and weights.size >= _SMALLEST and bool(np.abs(weights).max() <= _LARGEST)
