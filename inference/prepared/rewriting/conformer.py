"""A Conformer-CTC (Gulati et al., 2020) for one clip: features → log-probabilities.

NeMo: `ConformerEncoder` in `nemo/collections/asr/modules/conformer_encoder.py`. Between the modules a clip is
`[steps, width]`; there is no batch, and nothing is masked, since all of it is valid.
"""

import functools
from collections.abc import Iterator

import numpy as np

from inference.prepared.rewriting.attention import Positions, attention, placed, positions
from inference.prepared.rewriting.exported import Exported, UnknownGraph
from inference.prepared.rewriting.graph import Graph, Value, integers
from inference.prepared.rewriting.products import Products
from inference.prepared.rewriting.subsampling import subsampling

_EPSILON = 1e-5  # torch.nn.LayerNorm


def conformer(products: Products, exported: Exported) -> Value:
    """Add the whole model to the graph; raise UnknownGraph where something is missing."""
    if not exported.layers:
        raise UnknownGraph("there is no layer with attention")
    graph = products.graph
    x = subsampling(products, exported)
    place = positions(graph, exported, x) if exported.relative else None
    if place is None:
        x = placed(graph, exported, x)
    for number in range(exported.layers):
        x = _layer(products, exported, f"layers.{number}", x, place)
    weights, bias = exported.convolution("decoder_layers/decoder_layers.0")
    logits = products("decoder_layers/decoder_layers.0", x, weights[:, :, 0].T, bias)
    return graph("Unsqueeze", graph("LogSoftmax", logits, axis=-1), integers(0))


def _layer(products: Products, exported: Exported, layer: str, x: Value, place: Positions | None) -> Value:
    graph = products.graph
    y = _normal(graph, exported, f"{layer}/norm_feed_forward1", x)
    x = graph("Add", x, _feed_forward(products, exported, f"{layer}/feed_forward1", y))
    y = _normal(graph, exported, f"{layer}/norm_self_att", x)
    x = graph("Add", x, attention(products, exported, f"{layer}/self_attn", y, place))
    y = _normal(graph, exported, f"{layer}/norm_conv", x)
    x = graph("Add", x, _convolution(products, exported, f"{layer}/conv", y))
    y = _normal(graph, exported, f"{layer}/norm_feed_forward2", x)
    x = graph("Add", x, _feed_forward(products, exported, f"{layer}/feed_forward2", y))
    return _normal(graph, exported, f"{layer}/norm_out", x)


def _normal(graph: Graph, exported: Exported, module: str, x: Value) -> Value:
    weight, bias = exported.parameter(f"{module}.weight"), exported.parameter(f"{module}.bias")
    return graph("LayerNormalization", x, weight, bias, axis=-1, epsilon=_EPSILON)


def _feed_forward(products: Products, exported: Exported, module: str, x: Value) -> Value:
    """Half of the output counts, which the second layer's weights take in.

    Groups of channels between the two layers go apart, so that the rounding of each finds a scale of its own.
    """
    wide, narrow = (exported.product(f"{module}/linear{number}") for number in (1, 2))
    wide_bias, narrow_bias = (exported.parameter(f"{module}/linear{number}.bias") for number in (1, 2))
    half = np.float32(0.5)

    def parts() -> Iterator[Value]:
        for number, group in enumerate(np.array_split(np.arange(len(narrow)), products.groups("linear2"))):
            y = _swish(products.graph, products(f"{module}/linear1", x, wide[:, group], wide_bias[group]))
            yield products(f"{module}/linear2", y, narrow[group] * half, None if number else narrow_bias * half)

    return functools.reduce(lambda total, part: products.graph("Add", total, part), parts())


def _convolution(products: Products, exported: Exported, module: str, x: Value) -> Value:
    """Gated linear unit, a convolution over time in each channel, and a linear layer."""
    graph = products.graph
    weights, bias = exported.convolution(f"{module}/pointwise_conv1")
    width = weights.shape[1]
    both = products(f"{module}/pointwise_conv1", x, weights[:, :, 0].T, bias)
    signal, gate = graph.several(2, "Split", both, integers(width, width), axis=1)
    x = graph("Mul", signal, graph("Sigmoid", gate))
    weights, bias = exported.convolution(f"{module}/depthwise_conv")
    kernel = weights.shape[-1]
    margin = (kernel - 1) // 2
    # As an image one row high: ONNX Runtime has blocked kernels for two dimensions alone, five times as fast as its
    # one-dimensional ones, and merges these transposes into its change of layout.
    x = graph("Transpose", graph("Reshape", x, integers(1, 1, -1, width)), perm=[0, 3, 1, 2])
    x = graph("Conv", x, weights[:, :, None], bias, group=width, kernel_shape=[1, kernel], pads=[0, margin, 0, margin])
    x = graph("Reshape", graph("Transpose", x, perm=[0, 2, 3, 1]), integers(-1, width))
    weights, bias = exported.convolution(f"{module}/pointwise_conv2")
    return products(f"{module}/pointwise_conv2", _swish(graph, x), weights[:, :, 0].T, bias)


def _swish(graph: Graph, x: Value) -> Value:
    return graph("ort:QuickGelu", x, alpha=1.0)  # x · sigmoid(alpha · x), in one pass over memory
