"""Products with weights, in fp32 or, where the plan says so, in eight bits.

Weights become signed numbers of eight or seven bits with a scale for each output, activations unsigned ones of eight
with a scale and a zero for the whole tensor, found anew for each clip (`DynamicQuantizeLinear`); sums are exact, in 32
bits. Rounding activations costs far more accuracy than rounding weights, above all behind a swish, whose outputs are
many small numbers and a few large ones. Such a product can be made in two steps: of the rounded activations, and of
what rounding them left over, rounded in turn. Together they carry 16 bits, at less than the cost of fp32 on processors
with VNNI.
"""

from collections.abc import Mapping

import numpy as np

from inference.machine import int8_weight_bits
from inference.prepared.rewriting.graph import Graph, Value
from inference.types import Float32Array, Int8Plan, WeightBits

# Two products of 255 and 64 are 32,640: the most that 16 bits hold are 32,767.
_LARGEST_WEIGHT: Mapping[WeightBits, int] = {8: 127, 7: 64}
_MIDDLE_OF_UINT8 = 128
_TINY = np.float32(1e-12)  # scale of weights that are all nought


class Products:
    """Adds products to a graph. A module's kind is the last part of its name: `linear1`, `linear_q`, say."""

    def __init__(self, graph: Graph, plan: Int8Plan | None) -> None:
        self.graph = graph
        self.plan = plan or Int8Plan()
        self.inputs: dict[str, Value] = {}
        """What each module is given, as far as the graph is built."""
        self._rounded: dict[Value, list[Value]] = {}
        # A plan for another kind of processor is computed with the same numbers: so the gate can judge it here. AVX2
        # sums products of unsigned numbers without loss, a fifth slower.
        self._unsigned = self.plan.weight_bits == 8 and int8_weight_bits() == 7

    def __call__(self, module: str, x: Value, weights: Float32Array, bias: Float32Array | None = None) -> Value:
        """`[rows, inputs]` times `[inputs, outputs]`, plus bias: as the plan has it for the kind of `module`."""
        kind = module.rsplit("/", 1)[-1]
        self.inputs[module] = x
        biases = () if bias is None else (bias,)
        if kind in self.plan.twice:
            return self._twice(x, weights, *biases)
        if kind in self.plan.once:
            return self._once(x, self.round(weights), *biases)
        return self.graph("MatMul" if bias is None else "Gemm", x, weights, *biases)

    def groups(self, kind: str) -> int:
        """Into how many groups the inputs of that kind are divided, each with a scale of its own."""
        return self.plan.groups if kind in self.plan.once else 1

    def _once(self, x: Value, weights: tuple[np.ndarray, Float32Array, np.ndarray], *biases: Float32Array) -> Value:
        """Products of the same activations (queries, keys, values) share their rounding."""
        if x not in self._rounded:
            self._rounded[x] = self.graph.several(3, "DynamicQuantizeLinear", x)
        rounded, scale, zero = self._rounded[x]
        quantised, scales, zeros = weights
        return self.graph("ort:MatMulIntegerToFloat", rounded, quantised, scale, scales, zero, zeros, *biases)

    def _twice(self, x: Value, weights: Float32Array, *biases: Float32Array) -> Value:
        quantised = self.round(weights)
        most = self._once(x, quantised, *biases)
        left = self.graph("Sub", x, self.graph("DequantizeLinear", *self._rounded[x]))
        return self.graph("Add", most, self._once(left, quantised))

    def round(self, weights: Float32Array) -> tuple[np.ndarray, Float32Array, np.ndarray]:
        """`[inputs, outputs]` → the same in integers as the plan wants them, and scale and zero of each output."""
        quantised, scales = quantise(weights, self.plan.weight_bits)
        zero = _MIDDLE_OF_UINT8 if self._unsigned else 0
        kind = np.uint8 if self._unsigned else np.int8
        return (quantised + zero).astype(kind), scales, np.full(len(scales), zero, dtype=kind)


def quantise(weights: Float32Array, bits: WeightBits) -> tuple[np.ndarray, Float32Array]:
    """`[inputs, outputs]` → the same in integers around nought, and the scale of each output."""
    largest = _LARGEST_WEIGHT[bits]
    scales = np.maximum(np.abs(weights).max(axis=0) / largest, _TINY).astype(np.float32)
    return np.round(weights / scales).astype(np.int16), scales
