"""Rewrite a graph, and make sure that it is still the same function."""

from pathlib import Path

import numpy as np
import onnxruntime as ort

from inference.rewriting.conformer import conformer
from inference.rewriting.exported import Exported, UnknownGraph
from inference.types import Float32Array

_PROBES = (9, 230)  # frames; odd steps and even ones
_LARGEST_DIFFERENCE = 1e-3  # of log-probabilities; rounding makes 1e-5, another function some tenths at least


def rewrite(source: Path, target: Path) -> None:
    """Write to `target` what `source` computes for one clip at full length; raise UnknownGraph where that is not sure.

    Inputs and output are those of `source`; `length` is not read.
    """
    exported = Exported(source)
    try:
        graph, output = conformer(exported)
    except (ValueError, IndexError) as error:  # weights of other shapes
        raise UnknownGraph(f"the weights do not fit together: {error}") from error
    graph.save(target, exported.mel_bins, output)
    try:
        _compare(source, target, exported.mel_bins)
    except UnknownGraph:
        target.unlink()
        raise


def _compare(source: Path, target: Path, mel_bins: int) -> None:
    """Names say little: what counts is that both graphs answer alike."""
    probes = [np.random.default_rng(frames).normal(size=(1, mel_bins, frames)).astype(np.float32) for frames in _PROBES]
    for expected, found in zip(_answers(source, probes), _answers(target, probes), strict=True):
        difference = np.abs(found - expected).max() if found.shape == expected.shape else np.inf
        if not difference < _LARGEST_DIFFERENCE:
            raise UnknownGraph(f"it answers otherwise: log-probabilities differ by {difference}")


def _answers(path: Path, probes: list[Float32Array]) -> list[Float32Array]:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # other lanes may be at work
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return [
            session.run(None, {"audio_signal": probe, "length": np.array([probe.shape[2]], dtype=np.int64)})[0]
            for probe in probes
        ]
    except Exception as error:  # ONNX Runtime raises a class of its own for each status code
        raise UnknownGraph(f"ONNX Runtime cannot run it: {error}") from error
