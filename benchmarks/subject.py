"""Which programs take part, with which model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.quantised import Peers
from inference.package import Package

LIMIT, OURS, RUNTIME = "the limit", "this library", "ONNX Runtime alone"

_LIBRARY = "loadtest.harness.library:library"
_HERE = "benchmarks.recognisers:"


@dataclass(frozen=True, slots=True)
class Entrant:
    """A program and what to start it with."""

    name: str
    function: str
    """`MODULE:FUNCTION` for `loadtest.harness.children`."""
    given: Mapping[str, Any]
    """Its arguments, but for `threads`."""
    how: Mapping[str, Any] = field(default_factory=dict)
    """An interpreter that has the program, where this one has not."""
    needed: bool = False
    """Whether all the others would be measured in vain without it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A model in all its forms."""

    package: Package
    """Ours, with an int8 plan where there is one."""
    peers: Peers | None
    """Graphs in int8; None where int8 is left out."""
    checkpoint: Path | None = None
    """NeMo's file; None where NeMo is left out."""
    nemo_python: Path | None = None
    """An interpreter that can read it."""

    def entrants(self) -> list[Entrant]:
        """All programs."""
        model = {"directory": self.package.directory.resolve()}
        greedy = {"model": self.package.directory.resolve(), "decoding": "greedy"}
        found = [
            Entrant(LIMIT, f"{_HERE}matrix_products", {}, needed=True),
            Entrant(OURS, _LIBRARY, greedy, needed=True),
            Entrant(f"{OURS}, fp32", _LIBRARY, {**greedy, "precision": "fp32"}, needed=True),
            Entrant(RUNTIME, f"{_HERE}onnx_runtime", model),
            Entrant("sherpa-onnx", f"{_HERE}sherpa_onnx", model),
            Entrant("onnx-asr", f"{_HERE}onnx_asr", model),
        ]
        if self.checkpoint:
            found.append(
                Entrant("NeMo", f"{_HERE}nemo", {"checkpoint": self.checkpoint.resolve()}, {"python": self.nemo_python})
            )
        if self.peers:
            scripted, products = ({"directory": path.resolve()} for path in (self.peers.scripted, self.peers.products))
            int8 = {**products, "int8": True}
            found += [
                Entrant("sherpa-onnx, int8 as its scripts make it", f"{_HERE}sherpa_onnx", {**scripted, "int8": True}),
                Entrant("sherpa-onnx, int8 in matrix products", f"{_HERE}sherpa_onnx", int8),
                Entrant("onnx-asr, int8 in matrix products", f"{_HERE}onnx_asr", int8),
            ]
        return found
