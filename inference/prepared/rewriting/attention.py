"""Self-attention, by relative positions (Transformer-XL) or by absolute ones, for one clip.

NeMo: `RelPositionMultiHeadAttention` and `MultiHeadAttention` in
`nemo/collections/asr/parts/submodules/multi_head_attention.py`. The score of step i for step j is
(q_i + u)·k_j + (q_i + v)·p_(i-j), divided by the root of a head's width, or q_i·k_j where positions were added before.
"""

from dataclasses import dataclass

import numpy as np

from inference.prepared.rewriting.exported import Exported
from inference.prepared.rewriting.graph import Graph, Value, integers
from inference.prepared.rewriting.products import Products
from inference.types import Float32Array

_READY_STEPS = 750  # 30 s: the embedded tables of longer clips would make the weights much larger, for few clips
_TO_THE_END = 2**62


@dataclass(frozen=True, slots=True)
class Positions:
    """What the layers share, computed once a clip."""

    table: Float32Array
    """Row r holds position n - r, row 0 nothing: `[2 n, width]`."""
    whole: Value
    """The table in the graph."""
    short: Value
    """Whether the clip is at most `_READY_STEPS` long."""
    near: tuple[Value, Value]
    """First row of the clip in the middle part of the table, and the row behind its last."""
    far: tuple[Value, Value]
    """The same in the whole table."""
    steps: Value
    shifted: tuple[Value, Value]
    """Shapes between which scores by position become scores by step."""

    @property
    def ready_steps(self) -> int:
        """Half of the middle part of the table."""
        return min(_READY_STEPS, len(self.table) // 2)


def positions(graph: Graph, exported: Exported, x: Value) -> Positions:
    """`x`: `[steps, width]`."""
    table = exported.positions()
    table = np.concatenate([np.zeros_like(table[:1]), table])
    half = len(table) // 2
    ready = min(_READY_STEPS, half)
    steps = graph("Shape", x, start=0, end=1)
    doubled = graph("Mul", steps, integers(2))
    heads = integers(exported.heads())
    return Positions(
        table=table,
        whole=graph.constant(table),
        short=graph("LessOrEqual", steps, integers(ready)),
        near=(graph("Sub", integers(ready), steps), graph("Add", integers(ready), steps)),
        far=(graph("Sub", integers(half), steps), graph("Add", integers(half), steps)),
        steps=steps,
        shifted=(
            graph("Concat", heads, doubled, steps, axis=0),
            graph("Concat", heads, steps, graph("Sub", doubled, integers(1)), axis=0),
        ),
    )


def placed(graph: Graph, exported: Exported, x: Value) -> Value:
    """Add absolute positions to `x`, `[steps, width]`."""
    steps = graph("Shape", x, start=0, end=1)
    return graph("Add", x, graph("Slice", exported.positions(), integers(0), steps, integers(0)))


def attention(products: Products, exported: Exported, module: str, x: Value, place: Positions | None) -> Value:
    """`[steps, width]` → `[steps, width]`; without `place`, by what steps hold alone."""
    graph = products.graph
    weights = [exported.product(f"{module}/linear_{name}") for name in ("q", "k", "v")]
    heads = exported.heads()
    head = weights[0].shape[1] // heads
    scale = np.float32(head**-0.5)
    # The bias of the keys adds the same to all scores of a step, which softmax takes away again; that of the values
    # comes through softmax as it is, since a step's weights sum to one.
    weights[0] = weights[0] * scale
    query, key, value = (
        graph("Reshape", products(f"{module}/linear_{name}", x, each), integers(-1, heads, head))
        for name, each in zip("qkv", weights, strict=True)
    )
    query_bias = exported.parameter(f"{module}/linear_q.bias").reshape(heads, head)
    if place is None:
        scores = _products(graph, graph("Add", query, query_bias * scale), key)
    else:
        u, v = (exported.parameter(f"{module}/pos_bias_{letter}") for letter in "uv")
        by_content = _products(graph, graph("Add", query, (query_bias + u) * scale), key)
        relative = _relative_positions(graph, exported.product(f"{module}/linear_pos"), place)
        relative = graph("Reshape", relative, integers(-1, heads, head))
        by_place = _by_step(graph, _products(graph, graph("Add", query, (query_bias + v) * scale), relative), place)
        scores = graph("Add", by_content, by_place)
    attention = graph("Softmax", scores, axis=-1)
    attended = graph("Transpose", graph("ort:FusedMatMul", attention, value, transBatchB=1), perm=[1, 0, 2])
    out = exported.product(f"{module}/linear_out")
    bias = exported.parameter(f"{module}/linear_out.bias") + exported.parameter(f"{module}/linear_v.bias") @ out
    return products(f"{module}/linear_out", graph("Reshape", attended, integers(-1, heads * head)), out, bias)


def _products(graph: Graph, left: Value, right: Value) -> Value:
    """`[n, heads, head]` and `[m, heads, head]` → `[heads, n, m]`, without a transpose in memory."""
    return graph("ort:FusedMatMul", left, right, transBatchA=1, transBatchB=1, transB=1)


def _relative_positions(graph: Graph, weights: Float32Array, place: Positions) -> Value:
    """Embeddings of this layer, which depend on nothing but the clip's length: `[2 steps, width]`."""
    half = len(place.table) // 2
    middle = place.table[half - place.ready_steps : half + place.ready_steps]

    def ready() -> Value:
        return graph("Slice", middle @ weights, *place.near, integers(0))

    def computed() -> Value:
        return graph("MatMul", graph("Slice", place.whole, *place.far, integers(0)), weights)

    return ready() if place.ready_steps == half else graph.choose(place.short, ready, computed)


def _by_step(graph: Graph, scores: Value, place: Positions) -> Value:
    """Turn `[heads, steps, 2 steps]`, by relative position, into `[heads, steps, steps]`, by step.

    In memory each row needs to begin one number later than the row before; another shape of the same numbers does it.
    """
    scores = graph("Slice", graph("Reshape", scores, place.shifted[0]), integers(1), integers(_TO_THE_END), integers(1))
    return graph("Slice", graph("Reshape", scores, place.shifted[1]), integers(0), place.steps, integers(2))
