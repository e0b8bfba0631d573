"""The accuracy gate: what quantisation costs on every test set, and whether that is little enough."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from evaluation.comparison import Counts, rise, word_counts
from evaluation.manifest import Clip
from evaluation.scoring import Score, score
from inference.audio import decode as audio
from inference.decoding.decoder import Decoders
from inference.features import Featurizer
from inference.machine import usable_cpus
from inference.package import Package
from inference.recogniser import OnnxRecogniser, SessionOptions
from inference.types import AudioLimits, Float32Array

LARGEST_RISE = 0.2
"""Points of WER that may be lost, over all clips together and on every set."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One graph on all clips."""

    name: str
    path: Path
    scores: Mapping[str, Score]
    """By test set."""
    counts: Mapping[str, Counts]
    """Likewise, of each clip."""
    seconds: float
    """Processor time of ONNX Runtime on one thread."""

    @property
    def megabytes(self) -> float:
        """Size of the graph's file."""
        return self.path.stat().st_size / 1e6

    def worse(self, reference: "Measured") -> float:
        """By how many points of WER it is worse than `reference`, as the gate judges.

        That is the rise over all clips together or, where it is more, on a set what of its rise is beyond doubt: on few
        words, half of which are wrong anyway, two more are chance.
        """
        names = list(reference.counts)
        both = [(reference.counts[name], self.counts[name]) for name in names]
        together = rise(np.concatenate([old for old, _ in both]), np.concatenate([new for _, new in both]))
        return max(together.points, *(rise(old, new).least for old, new in both))

    def passes(self, reference: "Measured") -> bool:
        """Whether the gate lets this graph through; a hair of rounding is allowed for."""
        return self.worse(reference) <= LARGEST_RISE + 1e-9


class DevelopmentSet:
    """Clips with their features, computed once for all graphs."""

    def __init__(self, package: Package, clips: Sequence[Clip]) -> None:
        """Decode and featurise every clip; raise InputError where one is at fault."""
        self._clips = clips
        self._decode = Decoders(package).text
        featurizer, options = Featurizer(package.features), AudioLimits("clip", limit_seconds=package.longest_seconds)
        self.features: list[Float32Array] = []
        for clip in tqdm(clips, desc="features", unit="clip", disable=None):
            decoded = audio.decode(clip.audio.read_bytes(), options, package.features.sample_rate)
            self.features.append(featurizer(decoded.waveform))

    def few(self, count: int) -> list[Float32Array]:
        """Return features of `count` clips, spread over the whole."""
        step = max(len(self.features) // count, 1)
        return self.features[::step][:count]

    def measure(self, name: str, path: Path) -> Measured:
        """Transcribe everything with one graph and score each set."""
        heard = [(self._decode(found), seconds) for found, seconds in self._compute(name, path)]
        texts, seconds = [text for text, _ in heard], sum(seconds for _, seconds in heard)
        counts = {name: word_counts(*pair) for name, pair in self._by_set(texts)}
        return Measured(name, path, self.score(texts), counts, seconds)

    def log_probabilities(self, path: Path) -> list[Float32Array]:
        """What one graph makes of every clip."""
        return [found for found, _ in self._compute("inference", path)]

    def _compute(self, name: str, path: Path) -> Iterator[tuple[Float32Array, float]]:
        model = OnnxRecogniser(path, SessionOptions())

        def hear(features: Float32Array) -> tuple[Float32Array, float]:
            started = time.thread_time()  # a session of one thread works on its caller's
            return model(features), time.thread_time() - started

        with ThreadPoolExecutor(usable_cpus()) as threads:
            found = threads.map(hear, self.features)
            yield from tqdm(found, total=len(self.features), desc=name, unit="clip", disable=None)

    def score(self, heard: Sequence[str]) -> dict[str, Score]:
        """By test set; a text for each clip."""
        return {name: score(*pair) for name, pair in self._by_set(heard)}

    def _by_set(self, heard: Sequence[str]) -> Iterator[tuple[str, tuple[list[str], list[str]]]]:
        """What was said in each test set, and what was heard."""
        for test_set in dict.fromkeys(clip.test_set for clip in self._clips):
            chosen = [index for index, clip in enumerate(self._clips) if clip.test_set == test_set]
            yield test_set, ([self._clips[i].text for i in chosen], [heard[i] for i in chosen])


def report(reference: Measured, candidates: Sequence[Measured], chosen: Measured | None) -> str:
    """Return a Markdown table for the model card, one row a graph."""
    sets = list(reference.scores)
    header = ["graph", "MB", "processor time", *(f"WER {name}" for name in sets), "worse by", "gate"]
    rows = [header, ["---"] * len(header), _row(reference, reference, "reference")]
    for candidate in candidates:
        verdict = "chosen" if candidate is chosen else "passes" if candidate.passes(reference) else "refused"
        rows.append(_row(candidate, reference, verdict))
    counts = ", ".join(f"{name}: {entry.utterances} clips" for name, entry in reference.scores.items())
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + f"\n\nWER in percent. {counts}.\n"


def _row(measured: Measured, reference: Measured, verdict: str) -> list[str]:
    rates = [f"{entry.words.percent:.2f}" for entry in measured.scores.values()]
    time_ratio = f"{measured.seconds / reference.seconds:.2f}"
    return [
        measured.name,
        f"{measured.megabytes:.1f}",
        time_ratio,
        *rates,
        f"{measured.worse(reference):+.2f}",
        verdict,
    ]
