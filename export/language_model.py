"""Text → a language model in a package, its weight chosen on clips, if it makes fewer errors than greedy decoding."""

import dataclasses
import itertools
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from evaluation.manifest import read_manifests
from evaluation.scoring import Score
from export.errors import ExportError, RefusedByGate
from export.gate import DevelopmentSet
from export.ngrams import train
from export.package_writer import LANGUAGE_MODEL_FILE, write_arrays, write_manifest
from inference.decoding.beam import BeamOptions, BeamSearch
from inference.decoding.decoder import Decoders
from inference.decoding.language_model import LanguageModel
from inference.decoding.vocabulary import WORD_START, Vocabulary, load_vocabulary
from inference.package import LanguageModelFile, Package, load_package, sha256
from inference.types import CharacterModel, Float32Array

_WEIGHTS = (0.3, 0.5, 0.7, 0.9, 1.1)
_BONUSES = (1.0, 1.4, 1.8, 2.2, 2.6, 3.0)  # for each unit of weight: a letter costs some 1.5 nats


@dataclass(frozen=True, slots=True)
class Size:
    """How much of the text is remembered."""

    order: int = 8
    """Characters of the longest n-gram."""
    least: int = 2
    """N-grams of four characters and more that occur less often are forgotten."""
    gain: float = 3.0
    """And those that make the text likelier by fewer nats than this."""


def add_language_model(directory: Path, texts: Sequence[Path], manifests: Sequence[Path], size: Size) -> Package:
    """Learn from `texts`, a sentence a line, choose weight and bonus on the clips, and print what that gains.

    Characters that the vocabulary cannot write become spaces. Raises RefusedByGate where no choice makes fewer word
    errors than greedy decoding, and leaves the package as it was; ExportError or InferenceError where a file is
    unusable.
    """
    package = load_package(directory).greedy()
    vocabulary = load_vocabulary(package.vocabulary_path())
    development = DevelopmentSet(package, read_manifests(manifests))
    model = train(_sentences(texts, vocabulary), size.order, size.least, size.gain)
    heard = development.log_probabilities(package.model_path())
    greedy = _errors(development.score([Decoders(package).text(clip) for clip in heard]))
    tried = dict(_tried(development, heard, vocabulary, LanguageModel(model)))
    best = min(tried, key=lambda choice: _left(tried[choice], greedy))
    print(_report(greedy, tried, best))
    if _left(tried[best], greedy) >= _left(greedy, greedy):
        raise RefusedByGate("no weight makes fewer errors than greedy decoding; is it text of the clips' language?")
    # A stop before the new manifest is written must not leave the old one with a file that it does not know.
    write_manifest(package)
    file = write_arrays(directory / LANGUAGE_MODEL_FILE, _arrays(model))
    learnt = {**dataclasses.asdict(size), "texts": {path.name: sha256(path) for path in texts}}
    package = dataclasses.replace(
        package,
        language_model=LanguageModelFile(file.path, file.sha256, *best),
        confidence={name: curve for name, curve in package.confidence.items() if name != "beam"},  # of another search
        provenance={**package.provenance, "language_model": learnt},
    )
    write_manifest(package)
    return load_package(directory)


def _sentences(texts: Sequence[Path], vocabulary: Vocabulary) -> Iterator[str]:
    written = set("".join(vocabulary.pieces)) - {WORD_START}
    for path in texts:
        try:
            lines = unicodedata.normalize("NFC", path.read_text(encoding="utf-8")).splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ExportError(f"{path} cannot be read: {error}") from error
        yield from ("".join(letter if letter in written else " " for letter in line) for line in lines)


def _tried(
    development: DevelopmentSet, heard: Sequence[Float32Array], vocabulary: Vocabulary, model: LanguageModel
) -> Iterator[tuple[tuple[float, float], tuple[int, int]]]:
    """Errors by weight and bonus."""
    choices = [(weight, round(weight * share, 2)) for weight, share in itertools.product(_WEIGHTS, _BONUSES)]
    for weight, bonus in tqdm(choices, desc="weights", unit="choice", disable=None):
        search = BeamSearch(vocabulary, model, BeamOptions(weight, bonus))
        yield (weight, bonus), _errors(development.score([search(clip) for clip in heard]))


def _errors(scores: Mapping[str, Score]) -> tuple[int, int]:
    """Of words and of characters, over all sets."""
    return sum(s.words.errors for s in scores.values()), sum(s.characters.errors for s in scores.values())


def _left(errors: tuple[int, int], greedy: tuple[int, int]) -> float:
    """What is left of greedy decoding's errors of words, and of characters: by words alone, long bonuses guess."""
    return sum(mine / max(1, before) for mine, before in zip(errors, greedy, strict=True))


def _report(
    greedy: tuple[int, int], tried: Mapping[tuple[float, float], tuple[int, int]], best: tuple[float, float]
) -> str:
    rows = ["| weight | bonus | word errors | character errors | |", "|---|---|---|---|---|"]
    rows.append(f"| greedy | | {greedy[0]} | {greedy[1]} | |")
    rows += [
        f"| {weight} | {bonus} | {words} | {characters} | {'chosen' if (weight, bonus) == best else ''} |"
        for (weight, bonus), (words, characters) in tried.items()
    ]
    return "\n".join(rows)


def _arrays(model: CharacterModel) -> dict[str, NDArray[Any]]:
    arrays = {field.name: np.asarray(getattr(model, field.name)) for field in dataclasses.fields(model)}
    # Half of the numbers' size: three digits of a logarithm do.
    return arrays | {name: arrays[name].astype(np.float16) for name in ("scores", "backoffs")}
