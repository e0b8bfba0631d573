"""Text → a language model in a package, its weight chosen on clips, if it makes fewer errors than greedy decoding."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from evaluation.manifest import read_manifests
from export.gate import DevelopmentSet
from export.ngrams import Size, train
from export.package_writer import add_ngrams
from export.tuning import Errors, choose, errors, sentences
from inference.decoding.beam import BeamOptions, BeamSearch
from inference.decoding.decoder import Decoders
from inference.decoding.language_model import LanguageModel
from inference.decoding.vocabulary import Vocabulary, load_vocabulary
from inference.package import Package, load_package, sha256
from inference.types import Float32Array

_WEIGHTS = (0.3, 0.5, 0.7, 0.9, 1.1)
_BONUSES = (1.0, 1.4, 1.8, 2.2, 2.6, 3.0)  # for each unit of weight: a letter costs some 1.5 nats


def add_language_model(directory: Path, texts: Sequence[Path], manifests: Sequence[Path], size: Size) -> Package:
    """Learn from `texts`, a sentence a line, choose weight and bonus on the clips, and print what that gains.

    Characters that the vocabulary cannot write become spaces; a model over words leaves the package, since it judged
    what another one found. Raises RefusedByGate where no choice makes fewer errors than greedy decoding, and leaves the
    package as it was; ExportError or InferenceError where a file is unusable.
    """
    package = load_package(directory).greedy()
    kept = {name: value for name, value in package.provenance.items() if name != "word_model"}
    vocabulary = load_vocabulary(package.vocabulary_path())
    development = DevelopmentSet(package, read_manifests(manifests))
    model = train(sentences(texts, vocabulary), size)
    heard = development.log_probabilities(package.model_path())
    greedy = errors(development.score([Decoders(package).text(clip) for clip in heard]))
    best = choose(greedy, "greedy", dict(_tried(development, heard, vocabulary, LanguageModel(model))))
    learnt = {**dataclasses.asdict(size), "texts": {path.name: sha256(path) for path in texts}}
    return add_ngrams(dataclasses.replace(package, provenance=kept), "language_model", model, best, learnt)


def _tried(
    development: DevelopmentSet, heard: Sequence[Float32Array], vocabulary: Vocabulary, model: LanguageModel
) -> Iterator[tuple[tuple[float, float], Errors]]:
    """Errors by weight and bonus."""
    choices = [(weight, round(weight * share, 2)) for weight, share in itertools.product(_WEIGHTS, _BONUSES)]
    for weight, bonus in tqdm(choices, desc="weights", unit="choice", disable=None):
        search = BeamSearch(vocabulary, model, BeamOptions(weight, bonus))
        yield (weight, bonus), errors(development.score([search(clip) for clip in heard]))
