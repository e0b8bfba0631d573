"""Which programs take part, with which model."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.compared import NEMO, ONNX_ASR, OURS, OURS_INT8, RUNTIME, SHERPA
from benchmarks.quantised import AS_SCRIPTED, PRODUCTS, Int8
from benchmarks.rounds import Entrant
from inference.package import Package


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """NeMo's file, and an interpreter that can read it."""

    path: Path
    python: Path


@dataclass(frozen=True, slots=True)
class Subject:
    """A model in all its forms."""

    package: Package
    graphs: Int8 | None
    """None where int8 is left out."""
    checkpoint: Checkpoint | None
    """None where NeMo is left out."""

    def entrants(self) -> list[Entrant]:
        """All programs."""
        return [*self._fp32(), *(_int8(self.graphs) if self.graphs else [])]

    def _fp32(self) -> list[Entrant]:
        directory = self.package.directory
        entrants = [
            Entrant(OURS, "library", directory),
            Entrant(RUNTIME, "onnx_runtime", directory),
            Entrant(SHERPA, "sherpa_onnx", directory),
            Entrant(ONNX_ASR, "onnx_asr", directory),
        ]
        if self.checkpoint:
            entrants.append(Entrant(NEMO, "nemo", self.checkpoint.path, self.checkpoint.python))
        return entrants


def _int8(graphs: Int8) -> list[Entrant]:
    return [
        *([Entrant(OURS_INT8, "library_int8", graphs.ours)] if graphs.ours else []),
        Entrant(f"{SHERPA}, int8 {AS_SCRIPTED}", "sherpa_onnx_int8", graphs.scripted),
        Entrant(f"{SHERPA}, int8, {PRODUCTS}", "sherpa_onnx_int8", graphs.products),
        Entrant(f"{ONNX_ASR}, int8, {PRODUCTS}", "onnx_asr_int8", graphs.products),
    ]
