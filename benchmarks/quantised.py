"""The peers' int8, made from the exported fp32 graph as people make it for them.

sherpa-onnx's scripts for NeMo's CTC models (`scripts/nemo/*/export-onnx-ctc*.py`) call `quantize_dynamic` with
weights of type QUInt8 and leave the choice of operators to ONNX Runtime, which then quantises convolutions too.
onnx-asr has no script of its own. Quantising nothing but matrix products is faster here, so both get that as well.
"""

import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from inference.package import Package

AS_SCRIPTED, PRODUCTS = "as sherpa-onnx's scripts make it", "matrix products alone"
GRAPH, TOKENS = "model.int8.onnx", "vocab.txt"  # what onnx-asr looks for


def quantised(package: Package, way: str, directory: Path) -> Path:
    """Lay an int8 graph down in a new `directory`, with what peers want beside it; return the directory."""
    # Here and not above: it loads the onnx package, which no program that is measured needs.
    from onnxruntime.quantization import QuantType, quantize_dynamic

    ways: Mapping[str, Mapping[str, Any]] = {
        AS_SCRIPTED: {"weight_type": QuantType.QUInt8},
        PRODUCTS: {"weight_type": QuantType.QInt8, "op_types_to_quantize": ["MatMul"]},
    }
    directory.mkdir(parents=True)
    _quietly(lambda: quantize_dynamic(package.model_path(), directory / GRAPH, **ways[way]))
    shutil.copy(package.vocabulary_path(), directory / TOKENS)
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
