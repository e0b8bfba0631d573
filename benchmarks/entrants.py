"""Which programs take part, with which model."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.compared import LIMIT, NEMO, ONNX_ASR, OURS, OURS_FP32, RUNTIME, SHERPA
from benchmarks.programs import Entrant
from benchmarks.quantised import AS_SCRIPTED, PRODUCTS, Peers
from inference.package import Package

SHERPA_SCRIPTED, SHERPA_INT8 = f"{SHERPA}, int8 {AS_SCRIPTED}", f"{SHERPA}, int8, {PRODUCTS}"
ONNX_ASR_INT8 = f"{ONNX_ASR}, int8, {PRODUCTS}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """NeMo's file, and an interpreter that can read it."""

    path: Path
    python: Path


@dataclass(frozen=True, slots=True)
class Subject:
    """A model in all its forms."""

    package: Package
    """Ours, with an int8 plan where there is one."""
    peers: Peers | None
    """Graphs in int8; None where int8 is left out."""
    checkpoint: Checkpoint | None
    """None where NeMo is left out."""

    def entrants(self) -> list[Entrant]:
        """All programs."""
        directory = self.package.directory
        entrants = [
            Entrant(LIMIT, "matrix_products", directory, needed=True),
            Entrant(OURS, "library", directory, needed=True),
            Entrant(OURS_FP32, "library_fp32", directory, needed=True),
            Entrant(RUNTIME, "onnx_runtime", directory),
            Entrant(SHERPA, "sherpa_onnx", directory),
            Entrant(ONNX_ASR, "onnx_asr", directory),
        ]
        if self.checkpoint:
            entrants.append(Entrant(NEMO, "nemo", self.checkpoint.path, self.checkpoint.python))
        if self.peers:
            entrants += [
                Entrant(SHERPA_SCRIPTED, "sherpa_onnx_int8", self.peers.scripted),
                Entrant(SHERPA_INT8, "sherpa_onnx_int8", self.peers.products),
                Entrant(ONNX_ASR_INT8, "onnx_asr_int8", self.peers.products),
            ]
        return entrants

    def hearing(self) -> list[Entrant]:
        """Those that make texts."""
        return [entrant for entrant in self.entrants() if entrant.name not in (LIMIT, RUNTIME)]
