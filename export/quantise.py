"""int8 through the accuracy gate: plan, measure, keep the fastest plan that keeps the accuracy."""

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from export.calibration import subsampling_ranges
from export.candidates import describe, plans, sensitivities
from export.errors import ExportError, RefusedByGate
from export.gate import LARGEST_RISE, DevelopmentSet, Measured, report
from export.manifest import read_manifests
from export.package_writer import write_manifest
from inference.package import Package, load_package, sha256
from inference.rewriting.exported import Exported, UnknownGraph
from inference.rewriting.rewrite import rewrite, write
from inference.types import Int8Plan

_CLIPS = 16  # for sensitivities and ranges


def quantise(directory: Path, manifests: Sequence[Path], report_path: Path | None = None) -> Package:
    """Add an int8 plan to the package in `directory`; print the report, and write it to `report_path` too.

    Graphs are measured as lanes run them. Raises RefusedByGate where WER rises by more than 0.2 points on any set with
    every plan that is faster than fp32, and then the package has none afterwards; ExportError or InferenceError where
    the package or a manifest is unusable.
    """
    package = load_package(directory)
    development = DevelopmentSet(package, read_manifests(manifests))
    few = development.few(_CLIPS)
    source = package.model_path()
    with tempfile.TemporaryDirectory() as scratch:
        reference = development.measure("fp32", _rewritten(source, Path(scratch)))
        if any(entry.words.percent == float("inf") for entry in reference.scores.values()):
            raise ExportError("a test set holds no words, so that WER means nothing on it")
        ranges = subsampling_ranges(source, few)
        ranked = sensitivities(source, few, ranges)
        tried: dict[Int8Plan, Measured] = {}
        chosen = None
        exported = Exported(source)
        for plan in plans(exported, [group for group, _ in ranked], ranges):
            graph = Path(scratch) / f"{len(tried)}.onnx"
            write(exported, graph, plan)
            tried[plan] = development.measure(describe(plan), graph)
            if tried[plan].passes(reference) and tried[plan].seconds < reference.seconds:  # the fastest come first
                chosen = plan
                break
        text = _whole_report(reference, list(tried.values()), tried[chosen] if chosen else None, ranked)
    print(text)
    if report_path:
        report_path.write_text(text, encoding="utf-8")
    if chosen is None:
        if package.int8 is not None:
            write_manifest(dataclasses.replace(package, int8=None))
        smallest = min(found.rise(reference) for found in tried.values())
        raise RefusedByGate(
            f"WER rises by {smallest:.2f} points at least; {LARGEST_RISE} is the most for a plan that is faster"
        )
    return _install(package, chosen, _provenance(tried[chosen], reference, manifests))


def take_over(directory: Path, other: Path) -> Package:
    """Give a package of random weights the plan of another, for benchmarks of speed; no gate can judge them.

    Raises ExportError where the other has no plan.
    """
    package, plan = load_package(directory), load_package(other).int8
    if plan is None:
        raise ExportError(f"{other} has no int8 plan")
    noise = np.random.default_rng(0).normal(size=(package.features.mel_bins, 1000)).astype(np.float32)
    ranges = subsampling_ranges(package.model_path(), [noise])
    return _install(
        package, dataclasses.replace(plan, ranges=ranges), {"taken_over_from": str(other.name), "gate": "none"}
    )


def _rewritten(source: Path, scratch: Path) -> Path:
    target = scratch / "fp32.onnx"
    try:
        rewrite(source, target)
    except UnknownGraph as error:
        raise ExportError(f"{source} cannot be rewritten, and so not be planned in int8: {error}") from error
    return target


def _install(package: Package, plan: Int8Plan, provenance: dict[str, Any]) -> Package:
    write_manifest(dataclasses.replace(package, int8=plan, provenance={**package.provenance, "int8": provenance}))
    return load_package(package.directory)


def _provenance(found: Measured, reference: Measured, manifests: Sequence[Path]) -> dict[str, Any]:
    return {
        "onnxruntime": onnxruntime.__version__,
        "plan": found.name,
        "manifests": {"/".join(path.resolve().parts[-2:]): sha256(path) for path in manifests},
        "largest_rise_of_wer": round(found.rise(reference), 3),
        "wer": {
            name: {"fp32": round(old.words.percent, 2), "int8": round(found.scores[name].words.percent, 2)}
            for name, old in reference.scores.items()
        },
    }


def _whole_report(
    reference: Measured,
    candidates: Sequence[Measured],
    chosen: Measured | None,
    ranked: Sequence[tuple[tuple[str, ...], float]],
) -> str:
    table = report(reference, candidates, chosen)
    worst = "\n".join(f"| {', '.join(group)} | {divergence:.6f} |" for group, divergence in ranked)
    return (
        f"{table}\nKinds of products, each rounded alone (divergence from fp32, nats a step):\n\n"
        f"| kind | divergence |\n| --- | --- |\n{worst}\n"
    )
