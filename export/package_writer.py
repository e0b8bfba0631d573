"""Writes a package whole or not at all."""

import dataclasses
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from numpy.typing import NDArray

from export.errors import ExportError
from inference.package import MANIFEST, LanguageModelFile, Package, PackageFile, load_package, sha256
from inference.types import NgramModel

VOCABULARY_FILE = "vocab.txt"
CALIBRATION_FILE = "calibration.npz"
Ngrams = Literal["language_model", "word_model"]
_NGRAMS: Mapping[Ngrams, str] = {"language_model": "language_model.npz", "word_model": "word_model.npz"}
_ONNX_ASR_FILE = "config.json"
_BLANK = "<blk>"
_OURS = (MANIFEST, VOCABULARY_FILE, CALIBRATION_FILE, *_NGRAMS.values(), _ONNX_ASR_FILE)  # and every *.onnx
_HEADER = "# A model package, written by 'python -m export'. What each key means: docs/models.md\n"


def refuse_existing(out: Path, *, replace: bool) -> None:
    """Raise ExportError where a package cannot be written to `out` without more being lost than a package."""
    if not out.exists():
        return
    if not replace:
        raise ExportError(f"{out} exists already; --replace writes it anew")
    if not (out / MANIFEST).is_file() or any(path.is_dir() for path in out.iterdir()):
        raise ExportError(f"{out} is no package, or holds folders: --replace would delete more than a package")


@contextmanager
def new_directory(out: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield an empty directory that becomes `out` when the block ends well, and vanishes when it does not.

    With `replace`, files in `out` that are no part of a package (a model card) are kept.
    Raises ExportError where `out` exists and is not to be replaced or is no package, or cannot be written.
    """
    refuse_existing(out, replace=replace)
    out = out.resolve()  # a link goes on to lead here
    partial = out.with_name(f".{out.name}.partial-{os.getpid()}")
    try:
        partial.mkdir(parents=True)
        yield partial
        _swap(partial, out)
    except OSError as error:
        raise ExportError(f"{out} cannot be written: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_vocabulary(path: Path, pieces: Sequence[str]) -> None:
    """`piece id` a line, the blank last: what inference, sherpa-onnx and onnx-asr read.

    Raises ExportError for a piece that the format cannot carry.
    """
    for piece in pieces:
        if piece.split() != [piece] or piece == _BLANK:
            raise ExportError(f"the vocabulary holds the piece {piece!r}, which vocab.txt cannot carry")
    lines = [f"{piece} {index}\n" for index, piece in enumerate((*pieces, _BLANK))]
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def write_onnx_asr_config(directory: Path, package: Package) -> None:
    """Write the file by which onnx-asr learns the model's type, mel bins and subsampling."""
    config = {
        "model_type": "nemo-conformer-ctc",
        "features_size": package.features.mel_bins,
        "subsampling_factor": package.subsampling,
    }
    (directory / _ONNX_ASR_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> PackageFile:
    """Write an `.npz` of a package in one step; return its entry for `model.yaml`."""
    partial = path.with_name(f".{path.stem}.partial-{os.getpid()}{path.suffix}")  # NumPy insists on the suffix
    np.savez_compressed(partial, allow_pickle=False, **arrays)
    partial.replace(path)
    return PackageFile(path.name, sha256(path))


def add_ngrams(package: Package, name: Ngrams, model: NgramModel, tuned: tuple[float, float], learnt: Any) -> Package:
    """Write a language model, with the weight and the bonus that it was `tuned` to, into a package that has none.

    Curves of what beam search's scores mean are of other texts, and go.
    """
    # A stop before the new manifest is written must not leave the old one with a file that it does not know.
    write_manifest(package)
    arrays = {field.name: np.asarray(getattr(model, field.name)) for field in dataclasses.fields(model)}
    # Half of the numbers' size: three digits of a logarithm do.
    halves = {scores: arrays[scores].astype(np.float16) for scores in ("scores", "backoffs")}
    file = write_arrays(package.directory / _NGRAMS[name], arrays | halves)
    added: dict[str, Any] = {name: LanguageModelFile(file.path, file.sha256, *tuned)}
    package = dataclasses.replace(
        package,
        confidence={decoder: curve for decoder, curve in package.confidence.items() if decoder != "beam"},
        provenance={**package.provenance, name: learnt},
        **added,
    )
    write_manifest(package)
    return load_package(package.directory)


def write_manifest(package: Package) -> None:
    """Write `model.yaml` in one step, keys in the order of `inference.package.Package`."""
    content = _plain(dataclasses.asdict(package))
    del content["directory"]
    for optional in ("int8", "calibration", "language_model", "word_model", "confidence"):
        if not content[optional]:
            del content[optional]
    text = _HEADER + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)
    manifest = package.directory / MANIFEST
    partial = manifest.with_name(f".{MANIFEST}.partial-{os.getpid()}")
    partial.write_text(text, encoding="utf-8")
    partial.replace(manifest)


def _plain(value: Any) -> Any:
    """YAML's safe dialect has no tuples."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def _swap(partial: Path, out: Path) -> None:
    if not out.exists():
        partial.rename(out)
        return
    for path in out.iterdir():
        if path.name not in _OURS and path.suffix != ".onnx" and path.is_file():
            shutil.copy2(path, partial / path.name)
    old = out.with_name(f".{out.name}.old-{os.getpid()}")
    out.rename(old)
    partial.rename(out)
    shutil.rmtree(old)
