"""A graph made ready for this machine, once: rewritten, optimised, its weights packed for this processor in a file.

It takes one clip at full length; the package's own graph takes batches, and serves where there is no preparing.

ONNX Runtime optimises a graph and copies its weights into the layout that the processor likes, at every load, in
every process. Saved after that, the graph loads in a fraction of the time, and all lanes map one file of weights,
which the system keeps in memory once.
"""

import errno
import hashlib
import os
import platform
import shutil
from pathlib import Path

import onnxruntime as ort

from inference.errors import PackageError
from inference.package import Package
from inference.prepared import rewriting
from inference.prepared.cache import entry_of, made_once
from inference.types import Int8Plan

_REWRITTEN, _GRAPH, _WEIGHTS = "rewritten.onnx", "model.onnx", "model.weights"
_NOT_REWRITTEN = "not-rewritten.txt"
_SMALLEST_MAPPED = 1024  # bytes; smaller constants stay in the graph
_KIND = "graph"


def prepare(package: Package, plan: Int8Plan | None, cache: Path) -> Path:
    """Return the prepared graph of a package, made now where the cache has none for this machine; fp32 without a plan.

    Where it cannot be made, since the cache cannot be written, it is what `prepare_for_any` left there. Raises OSError
    where there is no such thing, PackageError where ONNX Runtime cannot.
    """
    fingerprint, calibration = package.fingerprint(plan), package.calibration_path()
    try:
        directory = made_once(
            *(cache, _KIND, _fingerprint(fingerprint, _processor())),
            lambda empty: make(package.model_path(), empty, plan, calibration),
        )
    except OSError:
        directory = entry_of(cache, _KIND, _fingerprint(fingerprint, _any_processor()))
        if not directory.exists():
            raise
    return directory / _GRAPH


def prepare_for_any(package: Package, plan: Int8Plan | None, cache: Path) -> Path:
    """As `prepare`, for every processor of this architecture: each process packs the weights itself, and holds them."""
    directory = made_once(
        *(cache, _KIND, _fingerprint(package.fingerprint(plan), _any_processor())),
        lambda empty: make(package.model_path(), empty, plan, package.calibration_path(), for_any=True),
    )
    return directory / _GRAPH


def warnings_of(graph: Path) -> tuple[str, ...]:
    """Return in what a prepared graph falls short of what it could be: a sentence each."""
    try:
        reason = graph.with_name(_NOT_REWRITTEN).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    return (f"the graph is slower than it could be, since it was not rewritten ({reason}): {graph.parent}",)


def _fingerprint(graph: str, processor: str) -> str:
    """Name all that a prepared graph depends on: the weights, the plan, our rewriting, ONNX Runtime, the processor."""
    parts = f"{graph} {rewriting.VERSION} {ort.__version__} {processor}"
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def _any_processor() -> str:
    return f"any {platform.machine()}"


def _processor() -> str:
    """The processor's model and instruction sets, as far as the system knows them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    known = {line for line in lines if line.startswith(("model name", "flags", "CPU part", "Features"))}
    return " ".join(sorted(known))


def make(
    model: Path,
    directory: Path,
    plan: Int8Plan | None = None,
    calibration: Path | None = None,
    *,
    for_any: bool = False,
) -> None:
    """Prepare the graph `model` in an empty directory, for this processor or for any of its architecture.

    Raises OSError and PackageError as `prepare` does; a graph that is not known cannot follow a plan.
    """
    rewritten = directory / _REWRITTEN
    reason = rewriting.rewrite_apart(model, rewritten, plan, calibration)
    if reason and plan is not None:
        raise PackageError(f"{model} cannot be computed as its int8 plan says: {reason}")
    if reason:
        (directory / _NOT_REWRITTEN).write_text(reason, encoding="utf-8")
    source = model if reason else rewritten
    try:
        _optimise(source, directory, for_any=for_any)
    except Exception as error:  # ONNX Runtime raises a class of its own for each status code
        if shutil.disk_usage(directory).free < source.stat().st_size:  # its errors name everything but that
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(directory.parent)) from error
        raise PackageError(f"{model} cannot be prepared: {error}") from error
    rewritten.unlink(missing_ok=True)


def _optimise(source: Path, directory: Path, *, for_any: bool) -> None:
    """Have ONNX Runtime write what it makes of a graph while it loads it."""
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(directory / _GRAPH)
    options.log_severity_level = 3  # ONNX Runtime warns that the file is for this machine alone: that is the point
    if for_any:  # the level above it lays weights out for this processor's vector registers
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    for key, value in {
        "session.optimized_model_external_initializers_file_name": _WEIGHTS,
        "session.optimized_model_external_initializers_min_size_in_bytes": str(_SMALLEST_MAPPED),
        "session.save_external_prepacked_constant_initializers": str(int(not for_any)),
    }.items():
        options.add_session_config_entry(key, value)
    ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
