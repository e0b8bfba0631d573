"""A graph under construction: operators are called like functions, arrays become constants."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_OPSET = 17
_IR_VERSION = 8  # the one that goes with the operators' version
_SMALL = 64  # numbers; equal constants that are as small are kept once

Value = str
"""The name of a tensor in the graph."""


class Graph:
    """Nodes in the order in which they run. ONNX Runtime's own operators are among them: it alone can run it."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._known: dict[Any, Value] = {}
        self._made = 0

    def __call__(self, operator: str, *inputs: Value | np.ndarray, **attributes: Any) -> Value:
        """Add a node with one output."""
        return self.several(1, operator, *inputs, **attributes)[0]

    def several(self, outputs: int, operator: str, *inputs: Value | np.ndarray, **attributes: Any) -> list[Value]:
        """Add a node with so many outputs. `ort:` stands before the names of ONNX Runtime's own operators."""
        own, _, operator = operator.rpartition(":")
        self._made += 1
        names = [f"{operator}{self._made}_{output}" for output in range(outputs)]
        values = [entry if isinstance(entry, str) else self.constant(entry) for entry in inputs]
        self._nodes.append(
            helper.make_node(operator, values, names, names[0], domain="com.microsoft" if own else "", **attributes)
        )
        return names

    def constant(self, array: np.ndarray) -> Value:
        """Add a constant."""
        array = np.ascontiguousarray(array)
        key = (array.dtype.str, array.shape, array.tobytes()) if array.size <= _SMALL else None
        if key in self._known:
            return self._known[key]
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(array, name))
        if key:
            self._known[key] = name
        return name

    def choose(self, condition: Value, then: Callable[[], Value], otherwise: Callable[[], Value]) -> Value:
        """Add an `If`. What `then` and `otherwise` add to the graph becomes its two sides."""
        return self(
            "If", condition, then_branch=self._branch("then", then), else_branch=self._branch("else", otherwise)
        )

    def _branch(self, name: str, build: Callable[[], Value]) -> Any:
        outside, self._nodes = self._nodes, []
        output = helper.make_tensor_value_info(build(), TensorProto.FLOAT, None)
        inside, self._nodes = self._nodes, outside
        return helper.make_graph(inside, name, [], [output])

    def repeat(self, count: int, build: Callable[[Value], Value]) -> Value:
        """Add a `Loop`. `build` gets the number of the round, `[1]`, and returns bytes; those of all are stacked."""
        outside, self._nodes = self._nodes, []
        self._made += 1
        turn, going, gone = (f"{name}{self._made}" for name in ("turn", "going", "gone"))
        result = build(turn)
        self._nodes.append(helper.make_node("Identity", [going], [gone]))
        inside, self._nodes = self._nodes, outside
        body = helper.make_graph(
            inside,
            "body",
            [
                helper.make_tensor_value_info(turn, TensorProto.INT64, [1]),
                helper.make_tensor_value_info(going, TensorProto.BOOL, [1]),
            ],
            [
                helper.make_tensor_value_info(gone, TensorProto.BOOL, [1]),
                helper.make_tensor_value_info(result, TensorProto.UINT8, None),
            ],
        )
        return self("Loop", integers(count), np.array([True]), body=body)

    def save(self, path: Path, mel_bins: int, output: Value) -> None:
        """Write the graph, with the inputs and the output of the exported one."""
        self._nodes.append(helper.make_node("Identity", [output], ["logprobs"]))
        inputs = [
            helper.make_tensor_value_info("audio_signal", TensorProto.FLOAT, [1, mel_bins, "frames"]),
            helper.make_tensor_value_info("length", TensorProto.INT64, [1]),
        ]
        outputs = [helper.make_tensor_value_info("logprobs", TensorProto.FLOAT, [1, "steps", "pieces"])]
        graph = helper.make_graph(self._nodes, "conformer", inputs, outputs, self._constants)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("com.microsoft", 1)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION), path)


def integers(*values: int) -> np.ndarray:
    """A constant of shapes and positions."""
    return np.array(values, dtype=np.int64)
