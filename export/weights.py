"""How a package stores its weights: in float32, or in fewer bits, which makes the file smaller."""

import dataclasses
import shutil
from pathlib import Path

import onnx

from export import package_writer
from inference.package import Package, Weights, load_package, sha256
from inference.prepared.rewriting.stored_weights import narrow, read_widened


def store_weights(directory: Path, weights: Weights) -> Package:
    """Store those of a package's fp32 graph so; all else, plans and figures too, stays as it is.

    From fewer bits nothing comes back that rounding has taken. Raises ExportError where the package cannot be written,
    PackageError where it cannot be read.
    """
    package = load_package(directory)
    with package_writer.new_directory(directory, replace=True) as fresh:
        shutil.copytree(directory, fresh, dirs_exist_ok=True)
        path = fresh / package.graph().path
        write(read_widened(path), path, weights)
        graph = dataclasses.replace(package.graph(), sha256=sha256(path), weights=weights)
        models = {**package.models, "fp32": graph}
        package_writer.write_manifest(dataclasses.replace(package, directory=fresh, models=models))
    return load_package(directory)


def write(model: onnx.ModelProto, path: Path, weights: Weights) -> None:
    """Write a graph whose weights are float32, and store them so."""
    if weights != "float32":
        narrow(model, weights)
    onnx.checker.check_model(model)
    onnx.save(model, path)
