"""Plans for int8, the fastest first, and how much each kind of product minds."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from inference.model import Model, SessionOptions
from inference.rewriting.exported import Exported
from inference.rewriting.products import SUBSAMPLING
from inference.rewriting.rewrite import write
from inference.types import Float32Array, Int8Plan

GROUPS: tuple[tuple[str, ...], ...] = (
    (SUBSAMPLING,),
    ("linear1",),
    ("linear2",),
    ("linear_q", "linear_k", "linear_v"),
    ("linear_out",),
    ("pointwise_conv1",),
    ("pointwise_conv2",),
    ("decoder_layers.0",),
)
"""Kinds of products that go together."""
_LEFT_OUT = 4  # so many groups stay in fp32 in the most careful plan
Ranges = tuple[float, float]


def plans(ranked: Sequence[tuple[str, ...]], ranges: Ranges) -> Iterator[Int8Plan]:
    """List what is tried; `ranked` holds all groups, the most sensitive first.

    First everything is rounded once, then group after group twice, and at last group after group stays in fp32. The
    subsampling knows no second rounding: it stays in fp32 as soon as its turn comes.
    """
    for count in range(len(ranked) + 1):
        yield _plan(ranked[count:], [group for group in ranked[:count] if SUBSAMPLING not in group], ranges)
    rest = [group for group in ranked if SUBSAMPLING not in group]
    for count in range(1, _LEFT_OUT + 1):
        yield _plan([], rest[count:], ranges)


def describe(plan: Int8Plan) -> str:
    """In a few words."""
    named = {kind for group in GROUPS for kind in group}
    exact = sorted(named - {*plan.once, *plan.twice})
    parts = [f"twice: {', '.join(plan.twice)}"] if plan.twice else []
    parts += [f"fp32: {', '.join(exact)}"] if exact else []
    return "; ".join(["int8", *parts])


def sensitivities(
    source: Path, features: Sequence[Float32Array], ranges: Ranges
) -> list[tuple[tuple[str, ...], float]]:
    """Round each group alone; return it with the divergence that it causes, worst first.

    Kullback-Leibler's, of the log-probabilities in nats a step: sure answers that stay as sure cost nothing.
    """
    exported = Exported(source)
    with tempfile.TemporaryDirectory() as scratch:
        graph = Path(scratch) / "graph.onnx"
        expected = _run(exported, graph, None, features)
        found = []
        for group in tqdm(GROUPS, desc="sensitivity", unit="group", disable=None):
            changed = _run(exported, graph, _plan([group], [], ranges), features)
            found.append((group, _divergence(expected, changed)))
    return sorted(found, key=lambda pair: -pair[1])


def _plan(once: Sequence[tuple[str, ...]], twice: Sequence[tuple[str, ...]], ranges: Ranges) -> Int8Plan:
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
