"""Log-probabilities → text, by the option: beam search with the package's language model, or greedily."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from inference.decoding import ctc
from inference.decoding.alignment import Aligner
from inference.decoding.beam import BeamOptions, BeamSearch
from inference.decoding.confidence import confidence, word_scores
from inference.decoding.language_model import LAYOUT, LanguageModel, load_language_model, map_unpacked, unpack
from inference.decoding.rescoring import Rescoring
from inference.decoding.vocabulary import UNKNOWN_SURFACE, WORD_START, load_vocabulary
from inference.decoding.word_times import text_span, word_times
from inference.errors import PackageError, UnavailableOption
from inference.package import LanguageModelFile, Package
from inference.prepared.cache import made_once, reading
from inference.types import Decoding, Features, Float32Array, NgramModel, Span, Token, Word

Decoder: TypeAlias = Callable[[Float32Array], str]
"""`[steps, vocabulary + 1]` natural log-probabilities → text."""


class Decoders:
    """All the ways in which a package can be decoded. Not for several threads at once."""

    def __init__(self, package: Package, cache: Path | None = None) -> None:
        """Load what they need; raise PackageError where a file is unusable.

        With a `cache`, the language model lies there unpacked, and all processes map it: OSError where that fails.
        """
        self._vocabulary = vocabulary = load_vocabulary(package.vocabulary_path())
        self._package = package
        self._aligner = Aligner(vocabulary)
        self._by_name: dict[str, Decoder] = {
            "greedy": lambda log_probabilities: vocabulary.text(ctc.greedy(log_probabilities, package.blank))
        }
        characters, words = package.language_model, package.word_model
        if characters:
            rescoring = None
            if words:
                rescoring = Rescoring(_read(package, words, cache, of_words=True), words.weight, words.bonus)
            model, options = _read(package, characters, cache), BeamOptions(characters.weight, characters.bonus)
            self._by_name["beam"] = BeamSearch(vocabulary, model, options, rescoring)
        self._by_name["auto"] = self._by_name[package.decoding]

    def text(self, log_probabilities: Float32Array, decoding: Decoding = "auto") -> str:
        """Decode `[steps, vocabulary + 1]`; raise UnavailableOption where there is nothing to decode so with."""
        if decoding not in self._by_name:
            raise UnavailableOption(f"decoding={decoding}: {self._package.name} has no language model")
        text = self._by_name[decoding](log_probabilities)
        return text.replace(UNKNOWN_SURFACE, " ").strip()  # SentencePiece's mark says nothing to a client

    def words(
        self, log_probabilities: Float32Array, text: str, features: Features, decoding: Decoding = "auto"
    ) -> tuple[Word, ...]:
        """When each word of a text decoded so from `[steps, vocabulary + 1]` was said in the sound, and how sure.

        Where the text cannot be aligned, the words share the time by their letters.
        """
        aligned = self._aligner(log_probabilities, text)
        words = word_times(text.split(), aligned, features, self._package.step_seconds)
        scores = word_scores(log_probabilities, aligned, self._vocabulary.blank) if aligned else [0.0] * len(words)
        said: list[list[Token]] = [[] for _ in words]
        for each in aligned:
            letters = self._vocabulary.pieces[each.token].replace(WORD_START, "")
            likeliest = float(log_probabilities[each.first : each.last + 1, each.token].max())
            said[each.word].append(Token(each.token, letters, round(likeliest, 4) + 0.0))  # and not -0.0
        curve = self._package.confidence.get(self._package.decoding if decoding == "auto" else decoding)
        return tuple(
            replace(word, confidence=round(confidence(score, curve), 4), tokens=tuple(tokens))
            for word, score, tokens in zip(words, scores, said, strict=True)
        )

    def span(self, log_probabilities: Float32Array, features: Features) -> Span:
        """When the first word in `[steps, vocabulary + 1]` began and the last one ended, as `words` would say it.

        Far cheaper than words; where no step says anything, it is all of the sound.
        """
        if heard := self._aligner.likeliest(log_probabilities):
            return text_span(heard, features, self._package.step_seconds)
        return Span(0.0, features.seconds)


def _read(package: Package, file: LanguageModelFile, cache: Path | None, *, of_words: bool = False) -> LanguageModel:
    """Into memory or, with a cache, mapped."""
    path = package.directory / file.path
    if cache is None:
        return _usable(load_language_model(path), path, of_words=of_words)
    key = f"{file.sha256[:16]}-{LAYOUT}"
    unpacked = made_once(cache, "language-model", key, lambda empty: unpack(load_language_model(path), empty))
    with reading(unpacked):
        return _usable(map_unpacked(unpacked), unpacked, of_words=of_words)


def _usable(model: NgramModel, path: Path, *, of_words: bool) -> LanguageModel:
    try:
        return LanguageModel(model, of_words=of_words)
    except (ValueError, IndexError) as error:
        raise PackageError(f"{path} is no language model: {error}") from error
