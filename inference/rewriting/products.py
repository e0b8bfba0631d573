"""Products with weights, in fp32 or, where the plan says so, in eight bits.

Weights become signed 8-bit numbers with a scale for each output, activations unsigned ones with a scale and a zero for
the whole tensor, found anew for each clip (`DynamicQuantizeLinear`); sums are exact, in 32 bits. Rounding activations
costs far more accuracy than rounding weights, above all behind a swish, whose outputs are many small numbers and a few
large ones. Such a product can be made in two steps: of the rounded activations, and of what rounding them left over,
rounded in turn. Together they carry 16 bits, at less than the cost of fp32.
"""

import numpy as np

from inference.rewriting.graph import Graph, Value
from inference.types import Float32Array, Int8Plan

SUBSAMPLING = "pre_encode"
"""The kind of the second subsampling convolution and the linear layer behind it, which go together."""
_LARGEST_INT8, _LARGEST_UINT8 = 127, 255
_TINY = np.float32(1e-12)  # scale of weights that are all nought


class Products:
    """Adds products to a graph. A module's kind is the last part of its name: `linear1`, `linear_q`, say."""

    def __init__(self, graph: Graph, plan: Int8Plan | None) -> None:
        self.graph = graph
        self.plan = plan or Int8Plan()

    def __call__(self, module: str, x: Value, weights: Float32Array, bias: Float32Array | None = None) -> Value:
        """`[rows, inputs]` times `[inputs, outputs]`, plus bias: as the plan has it for the kind of `module`."""
        kind = module.rsplit("/", 1)[-1]
        biases = () if bias is None else (bias,)
        if kind in self.plan.twice:
            return self._twice(x, weights, *biases)
        if kind in self.plan.once:
            return self.graph("ort:DynamicQuantizeMatMul", x, *eight_bits(weights), *biases)
        return self.graph("MatMul" if bias is None else "Gemm", x, weights, *biases)

    def _twice(self, x: Value, weights: Float32Array, *biases: Float32Array) -> Value:
        graph = self.graph
        quantised, scales, zeros = eight_bits(weights)
        rounded, scale, zero = graph.several(3, "DynamicQuantizeLinear", x)
        left = graph("Sub", x, graph("DequantizeLinear", rounded, scale, zero))
        most = graph("ort:MatMulIntegerToFloat", rounded, quantised, scale, scales, zero, zeros, *biases)
        return graph("Add", most, graph("ort:DynamicQuantizeMatMul", left, quantised, scales, zeros))

    def subsampling(
        self, x: Value, convolution: tuple[Float32Array, Float32Array], out: tuple[Float32Array, Float32Array]
    ) -> Value:
        """`[1, channels, frames, bands]`, not yet rectified → `[steps, width]`, in eight bits all the way.

        ReLU comes free: what is below nought is below the smallest unsigned number. `out` has the bands before the
        channels. The ranges come from the plan, since features are normalised, clips differ little.
        """
        graph = self.graph
        first, second = (np.float32(largest / _LARGEST_UINT8) for largest in self.plan.ranges)
        nought = np.uint8(0)
        x = graph("Transpose", graph("QuantizeLinear", x, np.array(first), np.array(nought)), perm=[0, 2, 3, 1])
        kernels, bias = convolution
        channels = kernels.shape[0]
        flat, scales, zeros = eight_bits(kernels.reshape(channels, -1).T)
        x = graph(
            "ort:QLinearConv",
            *(x, np.array(first), np.array(nought)),
            *(np.ascontiguousarray(flat.T).reshape(kernels.shape), scales, zeros),
            *(np.array(second), np.array(nought), np.round(bias / (first * scales)).astype(np.int32)),
            channels_last=1,
            kernel_shape=[3, 3],
            pads=[1, 1, 1, 1],
            strides=[2, 2],
        )
        weights, bias = out
        x = graph("Reshape", x, np.array([-1, weights.shape[0]], dtype=np.int64))
        quantised, scales, zeros = eight_bits(weights)
        return graph("ort:MatMulIntegerToFloat", x, quantised, np.array(second), scales, np.array(nought), zeros, bias)


def eight_bits(weights: Float32Array) -> tuple[np.ndarray, Float32Array, np.ndarray]:
    """`[inputs, outputs]` → the same in int8, and scale and zero (nought) of each output."""
    scales = np.maximum(np.abs(weights).max(axis=0) / _LARGEST_INT8, _TINY).astype(np.float32)
    return np.round(weights / scales).astype(np.int8), scales, np.zeros(len(scales), dtype=np.int8)
