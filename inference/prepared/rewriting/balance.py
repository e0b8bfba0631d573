"""Weights of the same function that bear rounding to eight bits better.

Activations are rounded with one scale for a whole tensor, which the channels that reach farthest decide, at the cost of
all others. How far each reaches was measured on speech when the plan was made, and lies in the package.

- Behind a normalisation, a channel's gain and bias are divided by a factor, and the weights that it meets multiplied by
  it: SmoothQuant (Xiao et al., 2023). The factor is the root of the range, half of the way: weights are rounded too.
- The channels inside a feed-forward part come in the order of their ranges, so that those of one group, which gets a
  scale of its own (`Int8Plan.groups`), are alike.
"""

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np

from inference.prepared.rewriting.exported import Exported, UnknownGraph
from inference.types import Float32Array

Reach: TypeAlias = Mapping[str, Float32Array]
"""Module → the largest magnitude of each of its inputs, `[inputs]`."""
MEASURED = ("linear1", "linear2", "linear_q", "pointwise_conv1")
"""Kinds of modules that have to be among them."""
_LINEAR_BEHIND = {
    "norm_feed_forward1": ("feed_forward1/linear1",),
    "norm_self_att": ("self_attn/linear_q", "self_attn/linear_k", "self_attn/linear_v"),
    "norm_feed_forward2": ("feed_forward2/linear1",),
}
_SMALLEST = 0.01  # of the largest range: channels that never speak need no more room than that


def read_reach(path: Path) -> Reach:
    """Read what `export quantise` measured; raise UnknownGraph where the file is none of its."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UnknownGraph(f"{path} cannot be read: {error}") from error


def balanced(exported: Exported, reach: Reach) -> Exported:
    """Return the model with such weights; raise UnknownGraph where a module was not measured or has another shape."""
    try:
        for number in range(exported.layers):
            for part in (_linear, _convolution, _feed_forwards):
                exported = exported.altered(dict(part(exported, f"layers.{number}", reach)))
    except (KeyError, ValueError, IndexError) as error:
        raise UnknownGraph(f"what was measured does not fit the weights: {error}") from error
    return exported


def _linear(exported: Exported, layer: str, reach: Reach) -> Iterator[tuple[str, Float32Array]]:
    for norm, modules in _LINEAR_BEHIND.items():
        factor = _factor(reach[f"{layer}/{modules[0]}"])
        yield from _divided(exported, f"{layer}/{norm}", factor)
        for module in modules:
            yield f"{layer}/{module}", exported.product(f"{layer}/{module}") * factor[:, None]


def _convolution(exported: Exported, layer: str, reach: Reach) -> Iterator[tuple[str, Float32Array]]:
    module = f"{layer}/conv/pointwise_conv1"
    factor = _factor(reach[module])
    yield from _divided(exported, f"{layer}/norm_conv", factor)
    yield module, exported.convolution(module)[0] * factor[:, None]


def _divided(exported: Exported, norm: str, factor: Float32Array) -> Iterator[tuple[str, Float32Array]]:
    for name in (f"{norm}.weight", f"{norm}.bias"):
        yield name, exported.parameter(name) / factor


def _factor(reach: Float32Array) -> Float32Array:
    largest = float(reach.max()) or 1.0
    factor: Float32Array = np.sqrt(np.maximum(reach / largest, _SMALLEST), dtype=np.float32)
    return factor


def _feed_forwards(exported: Exported, layer: str, reach: Reach) -> Iterator[tuple[str, Float32Array]]:
    """Comes last, since it takes `linear1` as the normalisation's factors leave it."""
    for part in ("feed_forward1", "feed_forward2"):
        wide, narrow = f"{layer}/{part}/linear1", f"{layer}/{part}/linear2"
        order = np.argsort(-reach[narrow], kind="stable")
        yield wide, exported.product(wide)[:, order]
        yield f"{wide}.bias", exported.parameter(f"{wide}.bias")[order]
        yield narrow, exported.product(narrow)[order]
