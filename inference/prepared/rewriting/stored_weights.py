"""Weights stored in fewer bits: a smaller file, and the same graph to every program that reads ONNX.

A large float32 tensor lies in the file as float16, or, where it is a product's or a convolution's, as int8 with a scale
for each output. Standard nodes, a `Cast` and then a `Mul`, make of it what the graph had, by the name that it had; all
other nodes stay as they are. ONNX Runtime computes them once, while it loads a graph. Here they are computed before a
graph is rewritten, which then has float32 weights like any other, rounded.
"""

from collections import Counter
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from inference.types import Float32Array

_SMALLEST = 1024  # numbers; biases and normalisations, which are few, stay exact
_LARGEST = float(np.finfo(np.float16).max)
_LEVELS = 127
_STORED = (TensorProto.FLOAT16, TensorProto.INT8)


def read_widened(path: Path) -> onnx.ModelProto:
    """Read a graph; what lies in the file in fewer bits is float32 again, under the names that nodes ask for."""
    model = onnx.load(path)
    graph = model.graph
    uses = Counter(name for node in graph.node for name in node.input)
    users = {name: node for node in graph.node for name in node.input if uses[name] == 1}
    stored = {tensor.name: tensor for tensor in graph.initializer}
    for tensor in list(graph.initializer):
        cast = users.get(tensor.name)
        if tensor.data_type not in _STORED or not cast or not _to_float(cast):
            continue
        weights, node = numpy_helper.to_array(tensor).astype(np.float32), cast
        graph.node.remove(cast)
        product = users.get(cast.output[0])
        if product and product.op_type == "Mul" and product.input[1] in stored and uses[product.input[1]] == 1:
            scale = stored[product.input[1]]
            weights, node = weights * numpy_helper.to_array(scale), product
            graph.node.remove(product)
            graph.initializer.remove(scale)
        tensor.CopyFrom(numpy_helper.from_array(weights, node.output[0]))
    return model


def narrow(model: onnx.ModelProto, weights: Literal["float16", "int8"]) -> None:
    """Store large float32 tensors so; with int8, those of no product as float16.

    What has larger numbers than float16 knows stays as it is.
    """
    graph = model.graph
    for node in [node for node in graph.node if node.op_type == "Constant"]:
        values = numpy_helper.to_array(node.attribute[0].t)
        if _can_be_narrowed(values):
            graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
            graph.node.remove(node)
    summed = _summed_axes(graph) if weights == "int8" else {}
    nodes = []
    for tensor in list(graph.initializer):
        values, name = numpy_helper.to_array(tensor), tensor.name
        if not _can_be_narrowed(values):
            continue
        if name in summed:
            levels, scale = _rounded(values, summed[name])
            tensor.CopyFrom(numpy_helper.from_array(levels, f"{name}/int8"))
            graph.initializer.append(numpy_helper.from_array(scale, f"{name}/scale"))
            nodes += [_cast(f"{name}/int8", f"{name}/levels")]
            nodes += [helper.make_node("Mul", [f"{name}/levels", f"{name}/scale"], [name], f"{name}/int8/Mul")]
        else:
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}/float16"))
            nodes.append(_cast(f"{name}/float16", name))
    nodes += graph.node  # which use them
    del graph.node[:]
    graph.node.extend(nodes)


def _cast(stored: str, name: str) -> onnx.NodeProto:
    return helper.make_node("Cast", [stored], [name], f"{stored}/Cast", to=TensorProto.FLOAT)


def _to_float(node: onnx.NodeProto) -> bool:
    return bool(node.op_type == "Cast" and node.attribute[0].i == TensorProto.FLOAT)


def _can_be_narrowed(values: NDArray[Any]) -> bool:
    return values.dtype == np.float32 and values.size >= _SMALLEST and bool(np.abs(values).max() <= _LARGEST)


def _summed_axes(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """Of each tensor that is nothing but the weights of a product or a convolution, the axes that it sums over."""
    uses = Counter(name for node in graph.node for name in node.input)
    dimensions = {tensor.name: len(tensor.dims) for tensor in graph.initializer}
    found = {}
    for node in graph.node:
        name = node.input[1] if len(node.input) > 1 else ""
        if name in dimensions and uses[name] == 1 and node.op_type in {"MatMul", "Conv"}:
            count = dimensions[name]
            found[name] = (max(0, count - 2),) if node.op_type == "MatMul" else tuple(range(1, count))
    return found


def _rounded(weights: Float32Array, summed: tuple[int, ...]) -> tuple[NDArray[np.int8], Float32Array]:
    """The nearest of 255 levels, and the distance between two of them for each output."""
    scale = np.abs(weights).max(summed, keepdims=True) / np.float32(_LEVELS)
    scale[scale == 0] = 1
    return np.round(weights / scale).astype(np.int8), scale
