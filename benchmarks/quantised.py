"""Everybody's int8: ours by plan, the peers' made from the exported fp32 graph as people make it for them.

sherpa-onnx's scripts for NeMo's CTC models (`scripts/nemo/*/export-onnx-ctc*.py`) call `quantize_dynamic` with
weights of type QUInt8 and leave the choice of operators to ONNX Runtime, which then quantises convolutions too.
onnx-asr has no script of its own. Quantising nothing but matrix products, with signed weights and ranges for each
channel, is faster here, so both get that as well; with seven bits where the processor's 8-bit sums saturate.
"""

import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from inference.machine import int8_weight_bits
from inference.package import MANIFEST, Package, load_package

AS_SCRIPTED, PRODUCTS = "as its scripts make it", "in matrix products"
GRAPH = "model.int8.onnx"  # what onnx-asr looks for

_PLAN = "int8"  # its key in the manifest


@dataclass(frozen=True, slots=True)
class Peers:
    """Directories with a graph in int8."""

    scripted: Path
    products: Path


def make(package: Package, scratch: Path) -> Peers:
    """Make them in `scratch`."""
    return Peers(
        _quantised(package, AS_SCRIPTED, scratch / "scripted"), _quantised(package, PRODUCTS, scratch / "products")
    )


def planned(package: Package, other: Path, directory: Path) -> Package:
    """Return the package with an int8 plan.

    Where it has none, a copy of it gets that of the package in the directory `other`, if there is one: which products
    are computed in eight bits decides on speed, whatever the weights say.
    """
    own, theirs = (yaml.safe_load((path / MANIFEST).read_text(encoding="utf-8")) for path in (package.directory, other))
    if own.get(_PLAN) or not theirs.get(_PLAN):
        return package
    shutil.copytree(package.directory, directory)
    manifest = yaml.safe_dump({**own, _PLAN: theirs[_PLAN]}, allow_unicode=True)
    (directory / MANIFEST).write_text(manifest, encoding="utf-8")
    return load_package(directory)


def _quantised(package: Package, way: str, directory: Path) -> Path:
    """Lay a graph down, with what peers want beside it."""
    # Here and not above: it loads the onnx package, which no program that is measured needs.
    from onnxruntime.quantization import QuantType, quantize_dynamic

    from inference.prepared.rewriting.stored_weights import read_widened

    ways: Mapping[str, Mapping[str, Any]] = {
        AS_SCRIPTED: {"weight_type": QuantType.QUInt8},
        PRODUCTS: {
            "weight_type": QuantType.QInt8,
            "op_types_to_quantize": ["MatMul"],
            "per_channel": True,
            "reduce_range": int8_weight_bits() != 8,
        },
    }
    directory.mkdir(parents=True)
    _quietly(lambda: quantize_dynamic(read_widened(package.model_path()), directory / GRAPH, **ways[way]))
    shutil.copy(package.vocabulary_path(), directory / "vocab.txt")
    shutil.copy(package.directory / "config.json", directory)
    return directory


def _quietly(quantise: Callable[[], None]) -> None:
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)  # it advises on models of another kind
    try:
        quantise()
    finally:
        logger.setLevel(level)
