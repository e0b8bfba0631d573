"""Log-probabilities → text, the way that the package allows: beam search with its language model, or greedily."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from inference.decoding import ctc
from inference.decoding.beam import BeamOptions, BeamSearch
from inference.decoding.language_model import LAYOUT, LanguageModel, load_language_model, map_unpacked, unpack
from inference.decoding.vocabulary import load_vocabulary
from inference.errors import PackageError
from inference.package import LanguageModelFile, Package
from inference.prepared.cache import made_once, reading
from inference.types import CharacterModel, Float32Array

Decoder: TypeAlias = Callable[[Float32Array], str]
"""`[steps, vocabulary + 1]` natural log-probabilities → text."""


def decoder(package: Package, cache: Path | None = None) -> Decoder:
    """Load what decoding needs; raise PackageError where a file is unusable. Not for several threads at once.

    With a `cache`, the language model lies there unpacked, and all processes map it: OSError where that fails.
    """
    vocabulary = load_vocabulary(package.vocabulary_path())
    file, path = package.language_model, package.language_model_path()
    if file and path:
        model = _mapped(file, path, cache) if cache else _usable(load_language_model(path), path)
        return BeamSearch(vocabulary, model, BeamOptions(file.weight, file.bonus))
    return lambda log_probabilities: vocabulary.text(ctc.greedy(log_probabilities, package.blank))


def _mapped(file: LanguageModelFile, path: Path, cache: Path) -> LanguageModel:
    key = f"{file.sha256[:16]}-{LAYOUT}"
    unpacked = made_once(cache, "language-model", key, lambda empty: unpack(load_language_model(path), empty))
    with reading(unpacked):
        return _usable(map_unpacked(unpacked), unpacked)


def _usable(model: CharacterModel, path: Path) -> LanguageModel:
    try:
        return LanguageModel(model)
    except (ValueError, IndexError) as error:
        raise PackageError(f"{path} is no language model: {error}") from error
