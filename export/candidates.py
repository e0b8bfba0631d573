"""Plans for int8, the fastest first, and how much each kind of product minds."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from tqdm import tqdm

from inference.prepared.rewriting.exported import Exported
from inference.prepared.rewriting.rewrite import write
from inference.prepared.rewriting.subsampling import SUBSAMPLING
from inference.recogniser import OnnxRecogniser, SessionOptions
from inference.types import Float32Array, Int8Plan, WeightBits

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
_GROUPS = 4  # of the inputs of linear2: 2 leave twice the error, 8 a third less; each costs nodes
Ranges: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Kind:
    """What plans for one kind of processor have in common."""

    weight_bits: WeightBits
    once: int
    """Time of a multiply-add in eight bits, in units of its own (docs/notes/2026-11-28-benchmarks.md)."""
    twice: int
    fp32: int

    def plan(self, once: Sequence[Group], twice: Sequence[Group], ranges: Ranges) -> Int8Plan:
        """Make one that rounds those groups."""
        first, second = (tuple(kind for group in groups for kind in group) for groups in (once, twice))
        groups = _GROUPS if "linear2" in first else 1
        return Int8Plan(first, second, ranges, self.weight_bits, groups)


KINDS = (Kind(8, 1, 2, 3), Kind(7, 4, 8, 7))
"""Processors that sum in 32 bits (VNNI), and those with AVX2 alone, where a second rounding costs more than fp32."""


def groups() -> list[Group]:
    """All of them."""
    return [_SUBSAMPLING, *_LAYERS, _DECODER]


def plans(exported: Exported, kind: Kind, divergences: Sequence[tuple[Group, float]], ranges: Ranges) -> list[Int8Plan]:
    """List what is tried, the fastest first; `divergences` holds what each group alone costs in accuracy.

    Group after group leaves the eight bits, first the one that gives most accuracy for its time: where a second
    rounding is cheaper than fp32, for it, and after that for fp32. Each of that with the subsampling, which knows no
    second rounding, in int8 and in fp32.
    """
    work = _work(exported)
    worth = {group: divergence / work[group] for group, divergence in divergences}
    rest = sorted((group for group in worth if group != _SUBSAMPLING), key=lambda group: -worth[group])
    found = []
    for subsampling in ([_SUBSAMPLING], []):
        found.append(kind.plan([*subsampling, *rest], [], ranges))
        left_out = range(1, len(rest))
        if kind.twice < kind.fp32:
            found += [kind.plan([*subsampling, *rest[n:]], rest[:n], ranges) for n in range(1, len(rest) + 1)]
            found += [kind.plan(subsampling, rest[n:], ranges) for n in left_out]
        else:
            found += [kind.plan([*subsampling, *rest[n:]], [], ranges) for n in left_out]
    return sorted(found, key=lambda plan: _cost(work, kind, plan))


def _work(exported: Exported) -> dict[Group, int]:
    """Multiply-adds of each group for a step."""
    kernels, _ = exported.convolution("pre_encode/conv/conv.2")
    out, decoder = exported.product("pre_encode/out"), exported.convolution("decoder_layers/decoder_layers.0")[0]
    work = {group: squares * exported.layers * out.shape[1] ** 2 for group, squares in _LAYERS.items()}
    work[_SUBSAMPLING] = kernels.size * (out.shape[0] // len(kernels)) + out.size
    work[_DECODER] = decoder.size
    return work


def _cost(work: Mapping[Group, int], kind: Kind, plan: Int8Plan) -> int:
    """Time of all products of a step, in the kind's units."""
    return sum(
        size * (kind.once if group[0] in plan.once else kind.twice if group[0] in plan.twice else kind.fp32)
        for group, size in work.items()
    )


def describe(plan: Int8Plan) -> str:
    """In a few words."""
    named = {kind for group in groups() for kind in group}
    exact = sorted(named - {*plan.once, *plan.twice})
    parts = [f"twice: {', '.join(plan.twice)}"] if plan.twice else []
    parts += [f"fp32: {', '.join(exact)}"] if exact else []
    return "; ".join([plan.precision, *parts])


def sensitivities(
    exported: Exported, kind: Kind, features: Sequence[Float32Array], ranges: Ranges
) -> list[tuple[Group, float]]:
    """Round each group alone; return it with the divergence that it causes, worst first.

    Kullback-Leibler's, of the log-probabilities in nats a step: sure answers that stay as sure cost nothing.
    """
    with tempfile.TemporaryDirectory() as scratch:
        graph = Path(scratch) / "graph.onnx"
        expected = _run(exported, graph, None, features)
        found = []
        for group in tqdm(groups(), desc="sensitivity", unit="group", disable=None):
            changed = _run(exported, graph, kind.plan([group], [], ranges), features)
            found.append((group, _divergence(expected, changed)))
    return sorted(found, key=lambda pair: -pair[1])


def _run(
    exported: Exported, graph: Path, plan: Int8Plan | None, features: Sequence[Float32Array]
) -> list[Float32Array]:
    write(exported, graph, plan)
    model = OnnxRecogniser(graph, SessionOptions())
    return [model(clip) for clip in features]


def _divergence(expected: Sequence[Float32Array], found: Sequence[Float32Array]) -> float:
    steps = [(np.exp(a) * (a - b)).sum(axis=1) for a, b in zip(expected, found, strict=True)]
    return float(np.concatenate(steps).mean())
