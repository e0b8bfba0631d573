"""Ways to turn a float graph into an int8 one, and how much each node minds."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from tqdm import tqdm

from inference.model import Model, SessionOptions
from inference.types import Float32Array

_LEFT_OUT = (4, 8, 16, 32)  # so many of the most sensitive nodes


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of ONNX Runtime's dynamic quantisation: activations and weights unsigned.

    Signed weights saturate in the 16-bit sums of AVX2 processors without VNNI.
    """

    operators: tuple[str, ...]
    """Kinds of operators whose weights become int8."""
    per_channel: bool
    """A scale for every output channel, not one for the whole weight."""
    reduce_range: bool = False
    """Seven bits instead of eight."""
    left_out: tuple[str, ...] = ()
    """Nodes that stay float."""

    @property
    def name(self) -> str:
        """In a few words."""
        parts = ["+".join(self.operators), "per channel" if self.per_channel else "per tensor"]
        parts += ["7 bits"] if self.reduce_range else []
        parts += [f"without the {len(self.left_out)} most sensitive"] if self.left_out else []
        return ", ".join(parts)


def recipes(by_sensitivity: Sequence[str]) -> list[Recipe]:
    """List what is tried; `by_sensitivity` names nodes, the most sensitive first."""
    both, matmul = ("MatMul", "Conv"), ("MatMul",)
    plain = [
        Recipe(operators, per_channel, reduce_range)
        for operators in (both, matmul)
        for per_channel in (True, False)
        for reduce_range in (False, True)
    ]
    counts = [count for count in _LEFT_OUT if count < len(by_sensitivity)]
    return plain + [Recipe(both, per_channel=True, left_out=tuple(by_sensitivity[:count])) for count in counts]


def quantise_graph(source: Path, target: Path, recipe: Recipe, only: Sequence[str] | None = None) -> None:
    """Write the graph `source` to `target` as `recipe` says; with `only`, quantise no other nodes."""
    # It advises a preparation that dynamic quantisation of this graph has no use for, at every call.
    logging.getLogger().addFilter(_no_advice)
    try:
        quantize_dynamic(
            source,
            target,
            op_types_to_quantize=list(recipe.operators),
            per_channel=recipe.per_channel,
            reduce_range=recipe.reduce_range,
            weight_type=QuantType.QUInt8,
            nodes_to_quantize=list(only) if only else None,
            nodes_to_exclude=list(recipe.left_out),
        )
    finally:
        logging.getLogger().removeFilter(_no_advice)


def sensitivities(source: Path, scratch: Path, features: Sequence[Float32Array]) -> list[tuple[str, float]]:
    """Quantise each node alone; return its name and the mean absolute error of the log-probabilities, worst first."""
    expected = _run(source, features)
    recipe = Recipe(("MatMul", "Conv"), per_channel=True)
    found = []
    for node in tqdm(_quantisable(source), desc="sensitivity", unit="node", disable=None):
        target = scratch / "one.onnx"
        quantise_graph(source, target, recipe, only=[node])
        errors = [np.abs(a - b).mean() for a, b in zip(_run(target, features), expected, strict=True)]
        found.append((node, float(np.mean(errors))))
    return sorted(found, key=lambda pair: -pair[1])


def _quantisable(path: Path) -> list[str]:
    """Nodes whose second input is a weight of the graph."""
    graph = onnx.load(path).graph
    weights = {initialiser.name for initialiser in graph.initializer}
    weights |= {node.output[0] for node in graph.node if node.op_type == "Constant"}
    return [node.name for node in graph.node if node.op_type in {"MatMul", "Conv"} and node.input[1] in weights]


def _run(path: Path, features: Sequence[Float32Array]) -> list[Float32Array]:
    model = Model(path, SessionOptions())
    return [model(clip) for clip in features]


def _no_advice(record: logging.LogRecord) -> bool:
    return "pre-processing" not in record.getMessage()
