"""Rewrite a graph, and make sure that it is still the same function."""

from pathlib import Path

import numpy as np
import onnxruntime as ort

from inference.prepared.rewriting.balance import balanced, read_reach
from inference.prepared.rewriting.conformer import conformer
from inference.prepared.rewriting.exported import Exported, UnknownGraph
from inference.prepared.rewriting.graph import Graph
from inference.prepared.rewriting.products import Products
from inference.types import Float32Array, Int8Plan

_PROBES = (9, 230)  # frames; odd steps and even ones
_LARGEST_DIFFERENCE = 1e-3  # of log-probabilities; rounding makes 1e-5, another function some tenths at least
_LARGEST_MEAN_OF_INT8 = 1.0  # rounding to eight bits makes some tenths, and noise excites ranges that speech does not


def rewrite(source: Path, target: Path, plan: Int8Plan | None = None, calibration: Path | None = None) -> None:
    """Write to `target` what `source` computes for one clip at full length; raise UnknownGraph where that is not sure.

    With a plan, the graph computes in int8 what the plan names, with weights balanced by what `calibration` holds; that
    it is the same function is made sure of in fp32, and of int8 only that it comes near. Inputs and output are those of
    `source`; `length` is not read.
    """
    exported = Exported(source)
    if plan is not None and calibration is not None:
        exported = balanced(exported, read_reach(calibration))
    probes = [
        np.random.default_rng(frames).normal(size=(1, exported.mel_bins, frames)).astype(np.float32)
        for frames in _PROBES
    ]
    expected = _answers(source, probes)
    try:
        write(exported, target, None)
        _compare(_differences(_answers(target, probes), expected).max(), _LARGEST_DIFFERENCE)
        if plan is not None:
            write(exported, target, plan)
            _compare(_differences(_answers(target, probes), expected).mean(), _LARGEST_MEAN_OF_INT8)
    except UnknownGraph:
        target.unlink(missing_ok=True)
        raise


def write(exported: Exported, target: Path, plan: Int8Plan | None) -> None:
    """Write the rewritten graph without a look at what it answers; raise UnknownGraph where something is missing."""
    try:
        products = Products(Graph(), plan)
        output = conformer(products, exported)
    except (ValueError, IndexError) as error:  # weights of other shapes
        raise UnknownGraph(f"the weights do not fit together: {error}") from error
    products.graph.save(target, exported.mel_bins, output)


def _compare(difference: float, largest: float) -> None:
    """Names say little: what counts is that both graphs answer alike."""
    if not difference < largest:
        raise UnknownGraph(f"it answers otherwise: log-probabilities differ by {difference}")


def _differences(found: list[Float32Array], expected: list[Float32Array]) -> Float32Array:
    """Of all numbers of all answers; infinite where the shapes differ."""
    if [each.shape for each in found] != [each.shape for each in expected]:
        return np.array([np.inf], dtype=np.float32)
    return np.concatenate([np.abs(a - b).ravel() for a, b in zip(found, expected, strict=True)])


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
