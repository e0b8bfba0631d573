"""Log-probabilities → text, the way that the package allows: beam search with its language model, or greedily."""

from collections.abc import Callable
from typing import TypeAlias

from inference import ctc
from inference.beam import BeamOptions, BeamSearch
from inference.language_model import load_language_model
from inference.package import Package
from inference.types import Float32Array
from inference.vocabulary import load_vocabulary

Decoder: TypeAlias = Callable[[Float32Array], str]
"""`[steps, vocabulary + 1]` natural log-probabilities → text."""


def decoder(package: Package) -> Decoder:
    """Load what decoding needs; raise PackageError where a file is unusable. Not for several threads at once."""
    vocabulary = load_vocabulary(package.vocabulary_path())
    file, path = package.language_model, package.language_model_path()
    if file and path:
        return BeamSearch(vocabulary, load_language_model(path), BeamOptions(file.weight, file.bonus))
    return lambda log_probabilities: vocabulary.text(ctc.greedy(log_probabilities, package.blank))
