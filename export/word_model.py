"""Text → a model over words in a package, which chooses among the texts that beam search has found."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from evaluation.manifest import read_manifests
from export.errors import ExportError
from export.gate import DevelopmentSet
from export.ngrams import Size, train_on_words
from export.package_writer import add_ngrams
from export.tuning import Errors, choose, errors, sentences
from inference.decoding.beam import BeamOptions, BeamSearch
from inference.decoding.language_model import LanguageModel, load_language_model
from inference.decoding.rescoring import Rescoring, best_of
from inference.decoding.vocabulary import load_vocabulary
from inference.package import Package, load_package, sha256

_WEIGHTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
_BONUSES = (2.0, 4.0, 6.0, 8.0, 10.0, 12.0)  # for each unit of weight: a word costs some 8 nats


def add_word_model(directory: Path, texts: Sequence[Path], manifests: Sequence[Path], size: Size) -> Package:
    """Learn from `texts`, a sentence a line, choose weight and bonus on the clips, and print what that gains.

    Raises RefusedByGate where no choice makes fewer errors than beam search alone, and leaves the package as it was;
    ExportError where the package has no language model to search by; ExportError or InferenceError where a file is
    unusable.
    """
    package = dataclasses.replace(load_package(directory), word_model=None)
    characters, path = package.language_model, package.language_model_path()
    if not characters or not path:
        raise ExportError(f"{directory} has no language model: first 'python -m export language-model'")
    vocabulary = load_vocabulary(package.vocabulary_path())
    development = DevelopmentSet(package, read_manifests(manifests))
    model = train_on_words(sentences(texts, vocabulary), size)
    options = BeamOptions(characters.weight, characters.bonus)
    search = BeamSearch(vocabulary, LanguageModel(load_language_model(path)), options)
    heard = development.log_probabilities(package.model_path())
    found = [search.hypotheses(clip) for clip in tqdm(heard, desc="search", unit="clip", disable=None)]
    alone = errors(development.score([best_of(texts) for texts in found]))
    tried = dict(_tried(development, found, LanguageModel(model, of_words=True)))
    best = choose(alone, "beam search alone", tried)
    learnt = {**dataclasses.asdict(size), "texts": {path.name: sha256(path) for path in texts}}
    return add_ngrams(package, "word_model", model, best, learnt)


def _tried(
    development: DevelopmentSet, found: Sequence[Mapping[str, float]], model: LanguageModel
) -> Iterator[tuple[tuple[float, float], Errors]]:
    """Errors by weight and bonus."""
    for weight, share in itertools.product(_WEIGHTS, _BONUSES):
        rescoring = Rescoring(model, weight, round(weight * share, 2))
        chosen = [best_of(texts, rescoring) for texts in found]
        yield (rescoring.weight, rescoring.bonus), errors(development.score(chosen))
