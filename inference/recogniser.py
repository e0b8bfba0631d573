"""Features → log-probabilities."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime as ort

from inference.errors import PackageError
from inference.types import Float32Array


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """How a session uses the processors; `python -m loadtest tune` measures what is best."""

    threads: int = 1
    """Threads inside one operator (ONNX Runtime's intra_op_num_threads)."""
    spinning: bool = False
    """Whether idle threads burn their core for a while, to start sooner."""


class Recogniser(Protocol):
    """Whatever computes an acoustic model."""

    def __call__(self, features: Float32Array) -> Float32Array:
        """`[mel_bins, frames]` → `[steps, vocabulary + 1]` natural log-probabilities, 40 ms a step at subsampling 4."""
        ...


class OnnxRecogniser:
    """A NeMo Conformer-CTC graph as `EncDecCTCModel.export` writes it, in one ONNX Runtime session on the CPU."""

    def __init__(self, path: Path, options: SessionOptions) -> None:
        """Load the graph; raise PackageError where ONNX Runtime refuses it."""
        try:
            self._session = ort.InferenceSession(
                str(path), _session_options(options), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime raises a class of its own for each status code
            raise PackageError(f"{path}: ONNX Runtime cannot load it: {error}") from error
        self._inputs = [node.name for node in self._session.get_inputs()]
        if self._inputs != ["audio_signal", "length"]:
            raise PackageError(f"{path}: inputs are {self._inputs}, not audio_signal and length")

    def __call__(self, features: Float32Array) -> Float32Array:
        """As `Recogniser` says."""
        length = np.array([features.shape[1]], dtype=np.int64)
        (log_probabilities,) = self._session.run(None, {"audio_signal": features[None], "length": length})
        result: Float32Array = log_probabilities[0]
        return result


def _session_options(options: SessionOptions) -> ort.SessionOptions:
    session_options = ort.SessionOptions()
    session_options.intra_op_num_threads = options.threads
    session_options.inter_op_num_threads = 1
    session_options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    session_options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Clips come in every length. ONNX Runtime's arena keeps the largest set of buffers that it ever needed, and a
    # memory pattern is one more plan for each length: a lane grew by 20 MiB in a round of lengths that it had seen
    # before, and held 400 MiB. With malloc alone it holds half, does not grow, and is as fast
    # (docs/notes/2026-11-28-load.md).
    session_options.enable_cpu_mem_arena = False
    session_options.enable_mem_pattern = False
    session_options.add_session_config_entry("session.intra_op.allow_spinning", str(int(options.spinning)))
    # Warnings about the exported graph (unused initialisers, say) would reach the server's log on every start.
    session_options.log_severity_level = 3
    return session_options
