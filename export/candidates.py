"""Plans for int8, the fastest first, and how much each kind of product minds."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from tqdm import tqdm

from inference.model import Model, SessionOptions
from inference.rewriting.exported import Exported
from inference.rewriting.products import SUBSAMPLING
from inference.rewriting.rewrite import write
from inference.types import Float32Array, Int8Plan

Group: TypeAlias = tuple[str, ...]
"""Kinds of products that go together."""
_LAYERS: Mapping[Group, int] = {
    ("linear1",): 8,
    ("linear2",): 8,
    ("linear_q", "linear_k", "linear_v"): 3,
    ("linear_out",): 1,
    ("pointwise_conv1",): 2,
    ("pointwise_conv2",): 1,
}
"""Groups of a layer, and their multiply-adds for a step in squares of the width."""
_SUBSAMPLING, _DECODER = (SUBSAMPLING,), ("decoder_layers.0",)
_ONCE, _TWICE, _FP32 = 1, 2, 3  # time of a multiply-add, roughly (docs/benchmarks.md)
_LEFT_OUT = 4  # so many groups stay in fp32 in the most careful plan
Ranges: TypeAlias = tuple[float, float]


def groups() -> list[Group]:
    """All of them."""
    return [_SUBSAMPLING, *_LAYERS, _DECODER]


def plans(exported: Exported, ranked: Sequence[Group], ranges: Ranges) -> list[Int8Plan]:
    """List what is tried, the fastest first; `ranked` holds all groups, the most sensitive first.

    Group after group is rounded twice instead of once, and then left in fp32; each of that with the subsampling, which
    knows no second rounding, in int8 and in fp32.
    """
    rest = [group for group in ranked if group != _SUBSAMPLING]
    found = []
    for subsampling in ([_SUBSAMPLING], []):
        found += [_plan([*subsampling, *rest[n:]], rest[:n], ranges) for n in range(len(rest) + 1)]
        found += [_plan(subsampling, rest[n:], ranges) for n in range(1, _LEFT_OUT + 1)]
    return sorted(found, key=lambda plan: _cost(exported, plan))


def _cost(exported: Exported, plan: Int8Plan) -> int:
    """In multiply-adds of products rounded once, for a step."""
    kernels, _ = exported.convolution("pre_encode/conv/conv.2")
    out, decoder = exported.product("pre_encode/out"), exported.convolution("decoder_layers/decoder_layers.0")[0]
    work = {group: squares * exported.layers * out.shape[1] ** 2 for group, squares in _LAYERS.items()}
    work[_SUBSAMPLING] = kernels.size * (out.shape[0] // len(kernels)) + out.size
    work[_DECODER] = decoder.size
    return sum(
        size * (_ONCE if group[0] in plan.once else _TWICE if group[0] in plan.twice else _FP32)
        for group, size in work.items()
    )


def describe(plan: Int8Plan) -> str:
    """In a few words."""
    named = {kind for group in groups() for kind in group}
    exact = sorted(named - {*plan.once, *plan.twice})
    parts = [f"twice: {', '.join(plan.twice)}"] if plan.twice else []
    parts += [f"fp32: {', '.join(exact)}"] if exact else []
    return "; ".join(["int8", *parts])


def sensitivities(source: Path, features: Sequence[Float32Array], ranges: Ranges) -> list[tuple[Group, float]]:
    """Round each group alone; return it with the divergence that it causes, worst first.

    Kullback-Leibler's, of the log-probabilities in nats a step: sure answers that stay as sure cost nothing.
    """
    exported = Exported(source)
    with tempfile.TemporaryDirectory() as scratch:
        graph = Path(scratch) / "graph.onnx"
        expected = _run(exported, graph, None, features)
        found = []
        for group in tqdm(groups(), desc="sensitivity", unit="group", disable=None):
            changed = _run(exported, graph, _plan([group], [], ranges), features)
            found.append((group, _divergence(expected, changed)))
    return sorted(found, key=lambda pair: -pair[1])


def _plan(once: Sequence[Group], twice: Sequence[Group], ranges: Ranges) -> Int8Plan:
    return Int8Plan(
        tuple(kind for group in once for kind in group), tuple(kind for group in twice for kind in group), ranges
    )


def _run(
    exported: Exported, graph: Path, plan: Int8Plan | None, features: Sequence[Float32Array]
) -> list[Float32Array]:
    write(exported, graph, plan)
    model = Model(graph, SessionOptions())
    return [model(clip) for clip in features]


def _divergence(expected: Sequence[Float32Array], found: Sequence[Float32Array]) -> float:
    steps = [(np.exp(a) * (a - b)).sum(axis=1) for a, b in zip(expected, found, strict=True)]
    return float(np.concatenate(steps).mean())
