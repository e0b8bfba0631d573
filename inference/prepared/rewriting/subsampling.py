"""Two convolutions of stride 2 and a linear layer, which make one step of four frames.

NeMo: `ConvSubsampling` (`striding`) in `nemo/collections/asr/parts/submodules/subsampling.py`. Between the convolutions
are 20 MB for 10 s of audio. So a few bands of frequencies are taken at a time: what is between stays in the cache, and
a lane needs a quarter of the memory. Bands are rows of the image and frames its columns, since kernels of ONNX Runtime
like long rows.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inference.prepared.rewriting.exported import Exported
from inference.prepared.rewriting.graph import Graph, Value, integers
from inference.prepared.rewriting.products import Products
from inference.types import Float32Array

SUBSAMPLING = "pre_encode"
"""The kind of the second convolution and the linear layer behind it, which go together into eight bits."""
_BANDS, _BANDS_OF_INT8 = 5, 2  # of 20, at a time; in int8 what is between is there twice, in two layouts
_LARGEST_UINT8 = 255
_NOUGHT = np.array(np.uint8(0))


@dataclass(frozen=True, slots=True)
class _Rows:
    """What a convolution of three rows and stride 2, with a margin of one, needs for some rows of its output."""

    start: int
    stop: int
    above: int
    """Rows of margin."""
    below: int

    @classmethod
    def behind(cls, start: int, stop: int, size: int) -> "_Rows":
        """Find those for the rows of `range(start, stop)`; `size` is how many there are to take from."""
        first, last = 2 * start - 1, 2 * stop
        return cls(max(first, 0), min(last, size), max(-first, 0), max(last - size, 0))

    @property
    def convolution(self) -> dict[str, Any]:
        return {"kernel_shape": [3, 3], "pads": [self.above, 1, self.below, 1], "strides": [2, 2]}


@dataclass(frozen=True, slots=True)
class _Part:
    """A few bands."""

    source: _Rows
    """Rows of the spectrogram."""
    middle: _Rows
    """Rows of what is between the convolutions."""
    linear: Float32Array
    """What belongs to them: `[bands · channels, width]`."""

    @property
    def shape(self) -> tuple[Any, ...]:
        """What is equal for two parts that differ in their place alone."""
        rows = (self.source, self.middle)
        return len(self.linear), *((each.stop - each.start, each.above, each.below) for each in rows)


@dataclass(frozen=True, slots=True)
class _Weights:
    """Of the three layers: convolutions as `[channels, inputs, bands, frames]`, each with its bias."""

    first: tuple[Float32Array, Float32Array]
    second: tuple[Float32Array, Float32Array]
    linear: Float32Array
    """`[bands, channels, width]`; the factor behind the subsampling is in it."""
    bias: Float32Array

    @classmethod
    def read(cls, exported: Exported) -> "_Weights":
        first, second = (exported.convolution(f"pre_encode/conv/conv.{number}") for number in (0, 2))
        channels = len(second[0])
        linear, scale = exported.product("pre_encode/out"), np.float32(exported.scale())
        return cls(
            (first[0].transpose(0, 1, 3, 2), first[1]),
            (second[0].transpose(0, 1, 3, 2), second[1]),
            # NeMo has the channels before the bands; this order costs less to make.
            linear.reshape(channels, -1, linear.shape[1]).transpose(1, 0, 2) * scale,
            exported.parameter("pre_encode/out.bias") * scale,
        )


def subsampling(products: Products, exported: Exported) -> Value:
    """`[1, mels, frames]` → `[steps, width]`, in fp32 or, where the plan says so, in eight bits."""
    weights = _Weights.read(exported)
    image = products.graph("Unsqueeze", "audio_signal", integers(1))
    if SUBSAMPLING in products.plan.once:
        return _in_int8(products, weights, image, _parts(weights, exported.mel_bins, _BANDS_OF_INT8))
    return _in_fp32(products.graph, weights, image, _parts(weights, exported.mel_bins, _BANDS))


def _parts(weights: _Weights, mels: int, bands: int) -> list[_Part]:
    found = []
    for start in range(0, len(weights.linear), bands):
        linear = weights.linear[start : start + bands]
        middle = _Rows.behind(start, start + len(linear), (mels + 1) // 2)
        found.append(_Part(_Rows.behind(middle.start, middle.stop, mels), middle, _flat(linear)))
    return found


def _in_fp32(graph: Graph, weights: _Weights, image: Value, parts: Sequence[_Part]) -> Value:
    first, second = ([graph.constant(each) for each in pair] for pair in (weights.first, weights.second))
    total = graph.constant(weights.bias)
    channels = len(weights.second[0])
    for part in parts:
        bands = len(part.linear) // channels
        rows = graph("Slice", image, integers(part.source.start), integers(part.source.stop), integers(2))
        x = graph("Relu", graph("Conv", rows, *first, **part.source.convolution))
        x = graph("Relu", graph("Conv", x, *second, **part.middle.convolution))
        # Two steps: ONNX Runtime makes the first one while it leaves its blocks of channels.
        x = graph("Reshape", graph("Transpose", x, perm=[0, 2, 3, 1]), integers(bands, -1, channels))
        x = graph("Reshape", graph("Transpose", x, perm=[1, 0, 2]), integers(-1, len(part.linear)))
        total = graph("Gemm", x, part.linear, total)
    return total


def _in_int8(products: Products, weights: _Weights, image: Value, parts: Sequence[_Part]) -> Value:
    """The same in eight bits from the first convolution on, channels last.

    ReLU comes free: what is below nought is below the smallest unsigned number. The ranges come from the plan: since
    features are normalised, clips differ little. Parts that differ in their place alone are rounds of a loop, since
    each node of the second convolution would hold packed weights of its own (0.6 MB for 256 channels).
    """
    graph = products.graph
    scale, second_scale = (np.array(np.float32(largest / _LARGEST_UINT8)) for largest in products.plan.ranges)
    kernels, bias = weights.second
    flat, scales, zeros = products.round(kernels.reshape(len(kernels), -1).T)
    first = [graph.constant(each) for each in weights.first]
    second = (graph.constant(flat.T.reshape(kernels.shape)), scales, zeros)
    whole_bias = np.round(bias / (scale * scales)).astype(np.int32)

    def convolutions(part: _Part, start: Value | np.ndarray) -> Value:
        stop = graph("Add", start, integers(part.source.stop - part.source.start))
        x = graph("Conv", graph("Slice", image, start, stop, integers(2)), *first, **part.source.convolution)
        x = graph("Transpose", graph("QuantizeLinear", x, scale, _NOUGHT), perm=[0, 2, 3, 1])
        source, target = (x, scale, _NOUGHT), (second_scale, _NOUGHT)
        x = graph("ort:QLinearConv", *source, *second, *target, whole_bias, channels_last=1, **part.middle.convolution)
        return graph("Reshape", graph("Transpose", x, perm=[0, 2, 1, 3]), integers(-1, len(part.linear)))

    alike = (list(some) for _, some in itertools.groupby(parts, key=lambda part: part.shape))
    found = [_one_by_one(graph, some, convolutions) for some in alike]
    linear, scales, zeros = products.round(_flat(weights.linear))
    x = graph("Concat", *found, axis=1)
    return graph("ort:MatMulIntegerToFloat", x, linear, second_scale, scales, _NOUGHT, zeros, weights.bias)


def _one_by_one(graph: Graph, parts: Sequence[_Part], build: Callable[[_Part, Value | np.ndarray], Value]) -> Value:
    """Build parts of one shape, each with the row at which it starts: `[steps, numbers of all parts]`, bytes."""
    first = integers(parts[0].source.start)
    if len(parts) == 1:
        return build(parts[0], first)
    further = integers(parts[1].source.start - parts[0].source.start)
    stacked = graph.repeat(len(parts), lambda turn: build(parts[0], graph("Add", first, graph("Mul", turn, further))))
    steps_first = graph("Transpose", stacked, perm=[1, 0, 2])
    return graph("Reshape", steps_first, integers(-1, len(parts) * len(parts[0].linear)))


def _flat(linear: Float32Array) -> Float32Array:
    return linear.reshape(-1, linear.shape[-1])
