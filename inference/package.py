"""A model package: a directory that describes itself in `model.yaml`.

    models/hi-demo/
      model.yaml     everything below, and the checksums
      model.onnx     features → log-probabilities
      vocab.txt      the pieces, by id
      …              what int8 and beam search need, where the package has it

Dropping such a directory in adds a model; `python -m export nemo` writes one.
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from inference.errors import PackageError
from inference.features import FeatureParameters
from inference.types import ConfidenceCurve, Int8Plan, WeightBits

Weights = Literal["float32", "float16", "int8"]

MANIFEST = "model.yaml"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class PackageFile:
    """One file of a package."""

    path: str
    """Relative to the package's directory."""
    sha256: str


@dataclass(frozen=True, slots=True)
class GraphFile(PackageFile):
    """A graph; its weights are computed in float32 however they are stored."""

    weights: Weights = "float32"
    """As they lie in the file (`inference/prepared/rewriting/stored_weights.py`)."""


@dataclass(frozen=True, slots=True)
class LanguageModelFile(PackageFile):
    """An n-gram model over characters, or words, and how much it has to say (`inference/decoding/beam.py`)."""

    weight: float
    """Of its log-probabilities beside those of what it judges."""
    bonus: float
    """Nats for each character, or word."""


@dataclass(frozen=True, slots=True)
class Package:
    """What `model.yaml` says."""

    directory: Path
    format: int
    name: str
    language: str
    """BCP 47 tag."""
    architecture: str
    """Only `nemo-conformer-ctc` so far."""
    features: FeatureParameters
    subsampling: int
    """Frames to a step."""
    blank: int
    """Id of the CTC blank."""
    maximum_steps: int
    """Length of the positional table baked into the graph; longer input fails inside ONNX Runtime."""
    models: Mapping[str, GraphFile]
    """Graphs by precision: `fp32` always, `int8` where one passed the accuracy gate."""
    vocabulary: PackageFile
    licence: str
    source: str
    """Where the weights come from."""
    int8: tuple[Int8Plan, ...] = ()
    """How lanes may compute faster, on this kind of processor and on that; only what passed the accuracy gate."""
    calibration: PackageFile | None = None
    """How far activations reach on speech, for the plans of `int8` (`inference/prepared/rewriting/balance.py`)."""
    language_model: LanguageModelFile | None = None
    """Over characters, for beam search; without it, decoding is greedy."""
    word_model: LanguageModelFile | None = None
    """Over words: it chooses among the texts that beam search has found."""
    confidence: Mapping[Literal["greedy", "beam"], ConfidenceCurve] = field(default_factory=dict)
    """By decoder: what scores of words have come to mean on clips; without one, they are told as they are."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Versions and settings of the export."""
    accuracy: tuple[Mapping[str, Any], ...] = ()
    """Measured error rates, each with its test set."""

    @property
    def longest_seconds(self) -> float:
        """The longest audio that fits the positional table; NeMo before 2.5 makes a frame more of the same samples."""
        frame = self.features.hop_size / self.features.sample_rate if self.features.semantics == "nemo-1" else 0.0
        return self.maximum_steps * self.step_seconds - frame

    @property
    def step_seconds(self) -> float:
        """From one step to the next."""
        return self.subsampling * self.features.hop_size / self.features.sample_rate

    def graph(self, precision: str = "fp32") -> GraphFile:
        """Return the graph of that precision; raise PackageError where the package has none."""
        if precision not in self.models:
            raise PackageError(f"{self.directory} has no {precision} model; it has {', '.join(self.models)}")
        return self.models[precision]

    def model_path(self, precision: str = "fp32") -> Path:
        """Return the file of the graph; raise PackageError where the package has none."""
        return self.directory / self.graph(precision).path

    def plan(self, weight_bits: WeightBits | None) -> Int8Plan | None:
        """Return the int8 plan for processors that want weights of so many bits, where there is one."""
        return next((plan for plan in self.int8 if plan.weight_bits == weight_bits), None)

    def fingerprint(self, plan: Int8Plan | None) -> str:
        """Distinguish graphs as they are computed, by weights and plan; without a plan it is fp32."""
        weights, measured = self.graph().sha256, self.calibration.sha256 if self.calibration else ""
        return weights if plan is None else hashlib.sha256(f"{weights} {plan} {measured}".encode()).hexdigest()

    def calibration_path(self) -> Path | None:
        """Return the file that plans need, where there is one."""
        return self.directory / self.calibration.path if self.calibration else None

    @property
    def decoding(self) -> Literal["greedy", "beam"]:
        """How it is decoded where nobody says otherwise."""
        return "beam" if self.language_model else "greedy"

    def greedy(self) -> "Package":
        """Return the same without its language models."""
        return dataclasses.replace(self, language_model=None, word_model=None)

    def language_model_path(self) -> Path | None:
        """Return the file of the language model, where there is one."""
        return self.directory / self.language_model.path if self.language_model else None

    def word_model_path(self) -> Path | None:
        """Return the file of the model over words, where there is one."""
        return self.directory / self.word_model.path if self.word_model else None

    def vocabulary_path(self) -> Path:
        """Return the file of pieces."""
        return self.directory / self.vocabulary.path


def load_package(directory: Path) -> Package:
    """Read `model.yaml` and compare every checksum; raise PackageError with what is wrong and what to do."""
    package = read_package(directory)
    optional = package.calibration, package.language_model, package.word_model
    for file in (*package.models.values(), package.vocabulary, *optional):
        if file:
            _verify(directory / file.path, file.sha256)
    return package


def read_package(directory: Path) -> Package:
    """Read `model.yaml` and believe it: for those who will not open the files. Raises PackageError."""
    manifest = directory / MANIFEST
    if not manifest.is_file():
        raise PackageError(f"{manifest} does not exist: make a package with 'python -m export nemo', or set ASR_MODEL")
    return _parse(manifest)


def sha256(path: Path) -> str:
    """Hexadecimal digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _parse(manifest: Path) -> Package:
    # Here and not above: pool processes receive a ready Package and need not load YAML and pydantic.
    import yaml
    from pydantic import TypeAdapter, ValidationError

    try:
        content = yaml.safe_load(manifest.read_text(encoding="utf-8"))
        package = TypeAdapter(Package).validate_python({**content, "directory": manifest.parent})
    except (UnicodeDecodeError, yaml.YAMLError, ValidationError, TypeError) as error:
        raise PackageError(f"{manifest}: {error}") from error
    if package.format != FORMAT:
        raise PackageError(f"{manifest}: format {package.format}; this version reads format {FORMAT}")
    if "fp32" not in package.models:
        raise PackageError(f"{manifest}: 'models' must name an fp32 file")
    return package


def _verify(path: Path, expected: str) -> None:
    if not path.is_file():
        raise PackageError(f"{path} is missing")
    found = sha256(path)
    if found != expected:
        raise PackageError(f"{path} is damaged: its SHA-256 is {found}, model.yaml says {expected}")
