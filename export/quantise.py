"""int8 through the accuracy gate: plan, measure, keep the fastest plan that keeps the accuracy."""

import dataclasses
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from evaluation.manifest import read_manifests
from export.calibration import measure_reach, subsampling_ranges
from export.candidates import KINDS, Group, Kind, Ranges, describe, plans, sensitivities
from export.errors import ExportError, RefusedByGate
from export.gate import LARGEST_RISE, DevelopmentSet, Measured, report
from export.package_writer import CALIBRATION_FILE, write_arrays, write_manifest
from inference.machine import int8_weight_bits
from inference.package import Package, load_package, sha256
from inference.prepared.rewriting.balance import balanced
from inference.prepared.rewriting.exported import Exported, UnknownGraph
from inference.prepared.rewriting.rewrite import rewrite, write
from inference.types import Int8Plan

_NOTHING_RIGHT = 90.0  # percent of words wrong, from which on no graph can make it worse
_CLIPS = 64  # for sensitivities and ranges


def quantise(directory: Path, manifests: Sequence[Path], report_path: Path | None = None) -> Package:
    """Add int8 plans to the package in `directory`; print the report, and write it to `report_path` too.

    A plan is sought for each kind of processor, and judged in the numbers that it is computed with there, whatever
    this one is, by the texts that the package's own decoding makes of them. Raises RefusedByGate where with
    every plan, for all kinds of processors, WER rises by more than 0.2 points over all clips, or beyond doubt on a
    set, and then the package has none afterwards; ExportError or InferenceError where the package or a manifest is
    unusable.
    """
    package = load_package(directory)
    development = DevelopmentSet(package, read_manifests(manifests))
    with tempfile.TemporaryDirectory() as scratch:
        search = _Search(package.model_path(), development, Path(scratch))
        searches = [search(kind) for kind in KINDS]
    text = "\n".join(found.report for found in searches)
    print(text)
    if report_path:
        report_path.write_text(text, encoding="utf-8")
    passed = [found for found in searches if found.plan]
    if not passed:
        if package.int8:
            write_manifest(dataclasses.replace(package, int8=(), calibration=None))
            (directory / CALIBRATION_FILE).unlink(missing_ok=True)
        least = min(found.least_loss for found in searches)
        raise RefusedByGate(
            f"WER rises by {least:.2f} points at least; {LARGEST_RISE} is the most for a plan that is faster"
        )
    provenance = {
        "onnxruntime": onnxruntime.__version__,
        "manifests": {"/".join(path.resolve().parts[-2:]): sha256(path) for path in manifests},
    } | {found.plan.precision: found.provenance for found in passed if found.plan}
    # A stop before the new manifest is written must not leave the old one with a file that it does not know.
    write_manifest(dataclasses.replace(package, int8=(), calibration=None))
    package = dataclasses.replace(package, calibration=write_arrays(directory / CALIBRATION_FILE, search.reach))
    return _install(package, [found.plan for found in passed if found.plan], provenance)


def take_over(directory: Path, other: Path) -> Package:
    """Give a package of random weights the plans of another, for benchmarks of speed; no gate can judge them.

    Raises ExportError where the other has no plan.
    """
    package, taken = load_package(directory), load_package(other).int8
    if not taken:
        raise ExportError(f"{other} has no int8 plan")
    noise = np.random.default_rng(0).normal(size=(package.features.mel_bins, 1000)).astype(np.float32)
    ranges = subsampling_ranges(package.model_path(), [noise])
    found = [dataclasses.replace(plan, ranges=ranges) for plan in taken]
    return _install(package, found, {"taken_over_from": str(other.name), "gate": "none"})


@dataclass(frozen=True, slots=True)
class _Found:
    """What came of the search for one kind of processor."""

    plan: Int8Plan | None
    """The one that passed."""
    report: str
    least_loss: float
    """Points of WER that the best plan loses."""
    provenance: dict[str, Any]


class _Search:
    """Tries plans, the fastest first, on graphs as lanes run them."""

    def __init__(self, source: Path, development: DevelopmentSet, scratch: Path) -> None:
        self._development = development
        self._few = development.few(_CLIPS)
        self._scratch = scratch
        self._reference = development.measure("fp32", _rewritten(source, scratch))
        for name, entry in self._reference.scores.items():
            if not entry.words.length:
                raise ExportError(f"{name} holds no words, so that WER means nothing on it")
            if entry.words.percent >= _NOTHING_RIGHT:
                raise ExportError(
                    f"{name}: {entry.words.percent:.0f} % of words are wrong in fp32; are these its texts?"
                )
        self._ranges: Ranges = subsampling_ranges(source, self._few)
        exported = Exported(source)
        self.reach = measure_reach(exported, self._few)
        self._exported = balanced(exported, self.reach)

    def __call__(self, kind: Kind) -> _Found:
        """Stop at the first that passes: their order says which is fast, not a clock, which other work disturbs."""
        reference = self._reference
        ranked = sensitivities(self._exported, kind, self._few, self._ranges)
        tried: list[Measured] = []
        for plan in plans(self._exported, kind, ranked, self._ranges):
            graph = self._scratch / f"{plan.precision}-{len(tried)}.onnx"
            write(self._exported, graph, plan)
            found = self._development.measure(describe(plan), graph)
            tried.append(found)
            if found.passes(reference):
                text = _whole_report(kind, reference, tried, found, ranked)
                return _Found(plan, text, found.worse(reference), _provenance(found, reference))
        least = min(found.worse(reference) for found in tried)
        return _Found(None, _whole_report(kind, reference, tried, None, ranked), least, {})


def _rewritten(source: Path, scratch: Path) -> Path:
    target = scratch / "fp32.onnx"
    try:
        rewrite(source, target)
    except UnknownGraph as error:
        raise ExportError(f"{source} cannot be rewritten, and so not be planned in int8: {error}") from error
    return target


def _install(package: Package, found: Sequence[Int8Plan], provenance: dict[str, Any]) -> Package:
    provenance = {**package.provenance, "int8": provenance}
    write_manifest(dataclasses.replace(package, int8=tuple(found), provenance=provenance))
    return load_package(package.directory)


def _provenance(found: Measured, reference: Measured) -> dict[str, Any]:
    return {
        "plan": found.name,
        "worse_by": round(found.worse(reference), 3),
        "wer": {
            name: {"fp32": round(old.words.percent, 2), "int8": round(found.scores[name].words.percent, 2)}
            for name, old in reference.scores.items()
        },
    }


def _whole_report(
    kind: Kind,
    reference: Measured,
    candidates: Sequence[Measured],
    chosen: Measured | None,
    ranked: Sequence[tuple[Group, float]],
) -> str:
    here = kind.weight_bits == int8_weight_bits()
    worst = "\n".join(f"| {', '.join(group)} | {divergence:.6f} |" for group, divergence in ranked)
    return (
        f"For processors that want weights of {kind.weight_bits} bits"
        f"{'' if here else ', computed here on another kind: times mean nothing'}:\n\n"
        f"{report(reference, candidates, chosen)}\n"
        "Kinds of products, each rounded alone (divergence from fp32, nats a step):\n\n"
        f"| kind | divergence |\n| --- | --- |\n{worst}\n"
    )
