"""A Conformer-CTC (Gulati et al., 2020) for one clip: features → log-probabilities.

NeMo: `ConformerEncoder` in `nemo/collections/asr/modules/conformer_encoder.py`. Between the modules a clip is
`[steps, width]`; there is no batch, and nothing is masked, since all of it is valid.
"""

import numpy as np

from inference.rewriting.attention import Positions, attention, positions
from inference.rewriting.exported import Exported, UnknownGraph
from inference.rewriting.graph import Graph, Value, integers

_EPSILON = 1e-5  # torch.nn.LayerNorm
_STRIDED = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}


def conformer(exported: Exported) -> tuple[Graph, Value]:
    """Build the whole model; raise UnknownGraph where something is missing."""
    if not exported.layers:
        raise UnknownGraph("there is no layer with relative attention")
    graph = Graph()
    x = _subsampling(graph, exported)
    place = positions(graph, exported, x)
    for number in range(exported.layers):
        x = _layer(graph, exported, f"layers.{number}", x, place)
    weights, bias = exported.convolution("decoder_layers/decoder_layers.0")
    logits = graph("Gemm", x, weights[:, :, 0].T, bias)
    return graph, graph("Unsqueeze", graph("LogSoftmax", logits, axis=-1), integers(0))


def _subsampling(graph: Graph, exported: Exported) -> Value:
    """`[1, mels, frames]` → `[steps, width]`, four frames to a step."""
    x = graph("Unsqueeze", graph("Transpose", "audio_signal", perm=[0, 2, 1]), integers(1))
    for module in ("pre_encode/conv/conv.0", "pre_encode/conv/conv.2"):
        x = graph("Relu", graph("Conv", x, *exported.convolution(module), **_STRIDED))
    out = exported.product("pre_encode/out")
    channels = exported.convolution("pre_encode/conv/conv.2")[0].shape[0]
    bands = out.shape[0] // channels
    # NeMo has the channels before the bands. ONNX Runtime's blocks of channels turn into this order at less cost.
    out = out.reshape(channels, bands, -1).transpose(1, 0, 2).reshape(bands * channels, -1)
    x = graph("Reshape", graph("Transpose", x, perm=[0, 2, 3, 1]), integers(-1, bands * channels))
    scale = np.float32(exported.scale())
    return graph("Gemm", x, out * scale, exported.parameter("pre_encode/out.bias") * scale)


def _layer(graph: Graph, exported: Exported, layer: str, x: Value, place: Positions) -> Value:
    y = _normal(graph, exported, f"{layer}/norm_feed_forward1", x)
    x = graph("Add", x, _feed_forward(graph, exported, f"{layer}/feed_forward1", y))
    y = _normal(graph, exported, f"{layer}/norm_self_att", x)
    x = graph("Add", x, attention(graph, exported, f"{layer}/self_attn", y, place))
    y = _normal(graph, exported, f"{layer}/norm_conv", x)
    x = graph("Add", x, _convolution(graph, exported, f"{layer}/conv", y))
    y = _normal(graph, exported, f"{layer}/norm_feed_forward2", x)
    x = graph("Add", x, _feed_forward(graph, exported, f"{layer}/feed_forward2", y))
    return _normal(graph, exported, f"{layer}/norm_out", x)


def _normal(graph: Graph, exported: Exported, module: str, x: Value) -> Value:
    weight, bias = exported.parameter(f"{module}.weight"), exported.parameter(f"{module}.bias")
    return graph("LayerNormalization", x, weight, bias, axis=-1, epsilon=_EPSILON)


def _feed_forward(graph: Graph, exported: Exported, module: str, x: Value) -> Value:
    """Half of the output counts, which the second layer's weights take in."""
    wide, narrow = (exported.product(f"{module}/linear{number}") for number in (1, 2))
    wide_bias, narrow_bias = (exported.parameter(f"{module}/linear{number}.bias") for number in (1, 2))
    half = np.float32(0.5)
    return graph("Gemm", _swish(graph, graph("Gemm", x, wide, wide_bias)), narrow * half, narrow_bias * half)


def _convolution(graph: Graph, exported: Exported, module: str, x: Value) -> Value:
    """Gated linear unit, a convolution over time in each channel, and a linear layer."""
    weights, bias = exported.convolution(f"{module}/pointwise_conv1")
    width = weights.shape[1]
    both = graph("Gemm", x, weights[:, :, 0].T, bias)
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
    return graph("Gemm", _swish(graph, x), weights[:, :, 0].T, bias)


def _swish(graph: Graph, x: Value) -> Value:
    return graph("ort:QuickGelu", x, alpha=1.0)  # x · sigmoid(alpha · x), in one pass over memory
