"""A package → a pipeline, by the fastest way that the package and this machine allow."""

import time
from dataclasses import dataclass
from pathlib import Path

from inference.errors import PackageError
from inference.machine import int8_weight_bits
from inference.package import Package
from inference.pipeline import Pipeline
from inference.prepared.cache import forget
from inference.prepared.prepare import prepare
from inference.process import give_memory_back
from inference.recogniser import SessionOptions
from inference.types import Int8Plan

CACHE = Path(__file__).parent.parent / "build" / "cache"
"""Where graphs prepared for this machine lie unless somebody says otherwise."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A pipeline, and how it came about."""

    pipeline: Pipeline
    precision: str
    """`fp32`, `int8` or `int8-w7` (weights of seven bits), as it is computed."""
    prepared: bool
    """Whether the graph prepared for this machine is in use, whose weights all processes share."""


def choose_plan(package: Package, wanted: str) -> Int8Plan | None:
    """The int8 plan to follow, or None for fp32; `wanted` is `auto`, `fp32` or `int8`.

    `auto` follows a plan where one has passed the gate with the weights that this processor wants. Raises PackageError
    where int8 is wanted and cannot be had.
    """
    bits = int8_weight_bits()
    plan = package.plan(bits) if wanted != "fp32" else None
    if wanted == "int8" and bits is None:
        raise PackageError("this processor has no instructions for 8-bit products (VNNI, AVX2): int8 cannot be used")
    if wanted == "int8" and plan is None:
        raise PackageError(
            f"{package.directory} has no int8 plan for weights of {bits} bits, which this processor wants: "
            "'python -m export quantise' makes one"
        )
    return plan


def choose_decoding(package: Package, wanted: str) -> Package:
    """The package as it is to be decoded; `wanted` is `auto`, `greedy` or `beam`.

    `auto` takes the language model where the package has one. Raises PackageError where beam search is wanted and it
    has none.
    """
    if wanted == "beam" and not package.language_model:
        raise PackageError(
            f"{package.directory} has no language model for beam search: 'python -m export language-model' makes one"
        )
    return package.greedy() if wanted == "greedy" else package


def load(
    package: Package, session_options: SessionOptions | None = None, precision: str = "auto", cache: Path = CACHE
) -> Loaded:
    """Load the graph prepared for this machine, made now if there is none; `precision` is `auto`, `fp32` or `int8`.

    What is damaged in the cache is made anew. Where that fails, or the cache cannot be written or read, the package's
    own graph is loaded, in fp32. Raises PackageError where that is unusable too, or where `choose_plan` does.
    """
    plan = choose_plan(package, precision)
    began = time.time()
    try:
        try:
            return _prepared(package, session_options, plan, cache)
        except PackageError:
            forget(cache, package.name, began)
            return _prepared(package, session_options, plan, cache)
    except (OSError, PackageError):
        return Loaded(Pipeline(package, session_options), "fp32", prepared=False)


def _prepared(package: Package, session_options: SessionOptions | None, plan: Int8Plan | None, cache: Path) -> Loaded:
    graph = prepare(package, plan, cache)
    pipeline = Pipeline(package, session_options, graph=graph, cache=cache)
    give_memory_back()  # what was made for all took several times the weights
    return Loaded(pipeline, plan.precision if plan else "fp32", prepared=True)
