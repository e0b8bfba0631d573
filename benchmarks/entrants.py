"""Which programs take part, with which model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.compared import NEMO, ONNX_ASR, OURS, OURS_INT8, RUNTIME, SHERPA
from benchmarks.quantised import AS_SCRIPTED, PRODUCTS, quantised
from benchmarks.rounds import Entrant
from inference.package import Package


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """NeMo's file, and an interpreter that can read it."""

    path: Path
    python: Path


def fp32(package: Package, checkpoint: Checkpoint | None) -> list[Entrant]:
    """Build all that need no quantised graph."""
    directory = package.directory
    entrants = [
        Entrant(OURS, "library", directory),
        Entrant(RUNTIME, "onnx_runtime", directory),
        Entrant(SHERPA, "sherpa_onnx", directory),
        Entrant(ONNX_ASR, "onnx_asr", directory),
    ]
    if checkpoint:
        entrants.append(Entrant(NEMO, "nemo", checkpoint.path, checkpoint.python))
    return entrants


def int8(package: Package, scratch: Path) -> list[Entrant]:
    """Build the peers' with graphs that are made in `scratch`; ours where the package has one."""
    scripted = quantised(package, AS_SCRIPTED, scratch / f"{package.name}-scripted")
    products = quantised(package, PRODUCTS, scratch / f"{package.name}-products")
    return [
        *_ours(package),
        Entrant(f"{SHERPA}, int8 {AS_SCRIPTED}", "sherpa_onnx_int8", scripted),
        Entrant(f"{SHERPA}, int8, {PRODUCTS}", "sherpa_onnx_int8", products),
        Entrant(f"{ONNX_ASR}, int8, {PRODUCTS}", "onnx_asr_int8", products),
    ]


def _ours(package: Package) -> Sequence[Entrant]:
    return [Entrant(OURS_INT8, "library_int8", package.directory)] if "int8" in package.models else []
