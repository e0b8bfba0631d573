"""NeMo and the package side by side on the same clips."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from export.checkpoint import open_checkpoint
from export.errors import ExportError
from export.reference import Computed, NemoReference, largest_difference
from inference.audio import decode as audio
from inference.decoding import ctc
from inference.decoding.vocabulary import load_vocabulary
from inference.features import Featurizer
from inference.package import Package, load_package
from inference.recogniser import OnnxRecogniser, SessionOptions
from inference.types import AudioLimits, Waveform


@dataclass(frozen=True, slots=True)
class Comparison:
    """One clip through both."""

    nemo: Computed
    package: Computed

    @property
    def same_text(self) -> bool:
        """Whether both heard the same.

        Spaces at the very beginning do not count: a SentencePiece model trained with
        `remove_extra_whitespaces=false` leaves them there, `inference.decoding.vocabulary` never does.
        """
        return self.nemo.text.lstrip(" ") == self.package.text.lstrip(" ")

    @property
    def features_difference(self) -> float:
        """Largest absolute difference of the features; infinite where the counts of frames differ."""
        return largest_difference(self.nemo.features, self.package.features)

    @property
    def log_probabilities_difference(self) -> float:
        """Largest absolute difference of the log-probabilities; infinite where the counts of steps differ."""
        return largest_difference(self.nemo.log_probabilities, self.package.log_probabilities)


class PackageStages:
    """The stages of `inference`, keeping what lies between them."""

    def __init__(self, package: Package) -> None:
        """Load the package's files; raise PackageError where one is unusable."""
        self._featurizer = Featurizer(package.features)
        self._model = OnnxRecogniser(package.model_path(), SessionOptions())
        self._vocabulary = load_vocabulary(package.vocabulary_path())
        self._blank = package.blank

    def __call__(self, waveform: Waveform) -> Computed:
        """Transcribe one clip."""
        features = self._featurizer(waveform)
        log_probabilities = self._model(features)
        text = self._vocabulary.text(ctc.greedy(log_probabilities, self._blank))
        return Computed(features, log_probabilities, text)


def verify(directory: Path, nemo_file: str, clips: Sequence[Path]) -> bool:
    """Print both texts and the largest differences for each clip; return whether all texts are equal.

    Raises ExportError or InferenceError where the package, the checkpoint or a clip is unusable.
    """
    package = load_package(directory)
    for clip in clips:
        if not clip.is_file():
            raise ExportError(f"{clip} is not a file")
    reference = NemoReference(open_checkpoint(nemo_file).model, package.features.semantics)
    stages = PackageStages(package)
    if package.features.semantics == "nemo-1":
        print("NeMo's side computes features as before NeMo 2.5 (export/reference.py), as the package asks.")
    different = 0
    for clip in tqdm(clips, unit="clip", disable=None):
        comparison = compare(reference, stages, read(clip, package))
        different += not comparison.same_text
        tqdm.write(_report(clip, comparison))
    print(f"{len(clips) - different} of {len(clips)} texts are equal")
    return different == 0


def compare(reference: NemoReference, stages: PackageStages, waveform: Waveform) -> Comparison:
    """Run one waveform through both."""
    return Comparison(nemo=reference(waveform), package=stages(waveform))


def read(clip: Path, package: Package) -> Waveform:
    """Decode a clip, up to the longest that the package's graph takes."""
    options = AudioLimits("clip", limit_seconds=package.longest_seconds)
    return audio.decode(clip.read_bytes(), options, package.features.sample_rate).waveform


def _report(clip: Path, comparison: Comparison) -> str:
    verdict = "equal" if comparison.same_text else "DIFFERENT"
    features, log_probabilities = comparison.features_difference, comparison.log_probabilities_difference
    return (
        f"{clip}: {verdict}\n  NeMo     {comparison.nemo.text}\n  package  {comparison.package.text}\n"
        f"  largest difference: features {features:.1e}, log-probabilities {log_probabilities:.1e}"
    )
