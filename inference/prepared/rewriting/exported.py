"""The weights of an exported graph, by the names that NeMo gave its modules."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from onnx import numpy_helper

from inference.prepared.rewriting.stored_weights import read_widened
from inference.types import Float32Array


class UnknownGraph(Exception):
    """The graph is not the Conformer-CTC that the rewriting knows."""


class Exported:
    """What `EncDecCTCModel.export` wrote: nodes are named after modules, some weights after parameters."""

    def __init__(self, path: Path) -> None:
        graph = read_widened(path).graph
        self._nodes = {node.name: node for node in graph.node}
        self._constants: dict[str, Any] = {entry.name: numpy_helper.to_array(entry) for entry in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant":
                self._constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
            elif node.op_type == "Identity" and node.input[0] in self._constants:
                # The exporter keeps one of several equal parameters.
                self._constants[node.output[0]] = self._constants[node.input[0]]
        self.mel_bins = int(graph.input[0].type.tensor_type.shape.dim[1].dim_value)
        """Rows of the features."""
        self.layers = sum(name.endswith("/self_attn/linear_q/MatMul") for name in self._nodes)
        """Of the encoder."""
        self._altered: Mapping[str, Float32Array] = {}

    def altered(self, weights: Mapping[str, Float32Array]) -> "Exported":
        """Return the same with other weights, by the names of parameters, products and convolutions."""
        other = copy.copy(self)
        other._altered = {**self._altered, **weights}  # noqa: SLF001 # of its own class
        return other

    def parameter(self, name: str) -> Float32Array:
        """A parameter of the encoder that kept its name, `layers.0/norm_out.weight`, say."""
        return self._altered[name] if name in self._altered else self._constant(f"encoder.{name.replace('/', '.')}")

    def product(self, module: str) -> Float32Array:
        """The weights of a linear layer, `[inputs, outputs]`."""
        if module in self._altered:
            return self._altered[module]
        weights: Float32Array = self._constant_inputs(f"/{module}/MatMul")[0]
        return weights

    def convolution(self, module: str) -> tuple[Float32Array, Float32Array]:
        """Weights and biases of a convolution; a batch normalisation behind it is already folded in."""
        weights, bias = self._constant_inputs(f"/{module}/Conv")
        return self._altered.get(module, weights), bias

    def scale(self) -> float:
        """The factor between subsampling and first layer: 1 where there is none."""
        return float(self._constant_inputs("/pos_enc/Mul")[0]) if "/pos_enc/Mul" in self._nodes else 1.0

    def heads(self) -> int:
        """Of each attention."""
        if self.relative:
            return int(self.parameter("layers.0/self_attn/pos_bias_u").shape[0])
        return int(self._constant_inputs("/layers.0/self_attn/Concat")[-2].item())  # of steps, heads, width of a head

    @property
    def relative(self) -> bool:
        """Whether attention looks at the distance between steps (`rel_pos`), not at where they stand (`abs_pos`)."""
        return "/layers.0/self_attn/linear_pos/MatMul" in self._nodes

    def positions(self) -> Float32Array:
        """Embeddings of the relative positions n - 1, n - 2 … 1 - n, `[2 n - 1, width]`, or of 0 … n - 1."""
        table: Float32Array = self._constant_inputs("/pos_enc/Slice")[0][0]
        if table.ndim != 2 or (self.relative and table.shape[0] % 2 == 0):
            raise UnknownGraph(f"the positional table has the shape {table.shape}")
        return table

    def _constant_inputs(self, name: str) -> list[Any]:
        node = self._nodes.get(name)
        found = [] if node is None else [self._constants[entry] for entry in node.input if entry in self._constants]
        if not found:
            raise UnknownGraph(f"there is no {name} with constant weights")
        return found

    def _constant(self, name: str) -> Float32Array:
        if name not in self._constants:
            raise UnknownGraph(f"there is no {name}")
        constant: Float32Array = np.asarray(self._constants[name])
        return constant
