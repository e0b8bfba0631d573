"""int8 through the accuracy gate: try, measure, keep the fastest that keeps the accuracy."""

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime
from tqdm import tqdm

from export.candidates import Recipe, quantise_graph, recipes, sensitivities
from export.errors import ExportError, RefusedByGate
from export.gate import LARGEST_RISE, DevelopmentSet, Measured, report
from export.manifest import read_manifests
from export.package_writer import write_manifest
from inference.package import Package, PackageFile, load_package, sha256

_FILE = "model.int8.onnx"
_SENSITIVITY_CLIPS = 8


def quantise(directory: Path, manifests: Sequence[Path], report_path: Path | None = None) -> Package:
    """Add an int8 graph to the package in `directory`; print the report, and write it to `report_path` too.

    Raises RefusedByGate where WER rises by more than 0.2 points on any set with every recipe, and then nothing
    in the package is changed; ExportError or InferenceError where the package or a manifest is unusable.
    """
    package = load_package(directory)
    development = DevelopmentSet(package, read_manifests(manifests))
    source = package.model_path()
    reference = development.measure("fp32", source)
    if any(entry.words.percent == float("inf") for entry in reference.scores.values()):
        raise ExportError("a test set holds no words, so that WER means nothing on it")
    with tempfile.TemporaryDirectory() as scratch:
        ranked = sensitivities(source, Path(scratch), development.few(_SENSITIVITY_CLIPS))
        candidates = _measure_all(source, Path(scratch), development, recipes([name for name, _ in ranked]))
        passing = {recipe: found for recipe, found in candidates.items() if found.passes(reference)}
        recipe = min(passing, key=lambda key: passing[key].seconds, default=None)
        text = _whole_report(reference, candidates, recipe, ranked)
        print(text)
        if report_path:
            report_path.write_text(text, encoding="utf-8")
        if recipe is None:
            smallest = min(found.rise(reference) for found in candidates.values())
            raise RefusedByGate(f"WER rises by {smallest:.2f} points at least; {LARGEST_RISE} is the most allowed")
        return _install(package, passing[recipe], _provenance(recipe, passing[recipe], reference, manifests))


def _measure_all(
    source: Path, scratch: Path, development: DevelopmentSet, wanted: Sequence[Recipe]
) -> dict[Recipe, Measured]:
    measured = {}
    for index, recipe in enumerate(tqdm(wanted, desc="candidates", unit="graph", disable=None)):
        path = scratch / f"{index}.onnx"
        quantise_graph(source, path, recipe)
        measured[recipe] = development.measure(recipe.name, path)
    return measured


def _install(package: Package, measured: Measured, provenance: Mapping[str, Any]) -> Package:
    """Graph first, then the line that names it; an older int8 graph is struck off before either."""
    directory = package.directory
    fp32 = {"fp32": package.models["fp32"]}
    if "int8" in package.models:
        write_manifest(dataclasses.replace(package, models=fp32))
    partial = directory / f".{_FILE}.partial"
    try:
        partial.write_bytes(measured.path.read_bytes())
        partial.replace(directory / _FILE)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ExportError(f"{directory / _FILE} cannot be written: {error}") from error
    write_manifest(
        dataclasses.replace(
            package,
            models={**fp32, "int8": PackageFile(_FILE, sha256(directory / _FILE))},
            provenance={**package.provenance, "int8": provenance},
        )
    )
    return load_package(directory)


def _provenance(recipe: Recipe, found: Measured, reference: Measured, manifests: Sequence[Path]) -> dict[str, Any]:
    return {
        "onnxruntime": onnxruntime.__version__,
        "recipe": recipe.name,
        "left_out": list(recipe.left_out),
        "manifests": {"/".join(path.resolve().parts[-2:]): sha256(path) for path in manifests},
        "largest_rise_of_wer": round(found.rise(reference), 3),
        "wer": {
            name: {"fp32": round(old.words.percent, 2), "int8": round(found.scores[name].words.percent, 2)}
            for name, old in reference.scores.items()
        },
    }


def _whole_report(
    reference: Measured,
    candidates: Mapping[Recipe, Measured],
    chosen: Recipe | None,
    ranked: Sequence[tuple[str, float]],
) -> str:
    table = report(reference, list(candidates.values()), candidates[chosen] if chosen else None)
    worst = "\n".join(f"| {name} | {error:.4f} |" for name, error in ranked[:10])
    return (
        f"{table}\nNodes that mind most, each quantised alone (mean absolute error of the log-probabilities):\n\n"
        f"| node | error |\n| --- | --- |\n{worst}\n"
    )
