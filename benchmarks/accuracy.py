"""What every program hears in clips whose text is known: nobody is fast by being wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from benchmarks.compared import OURS
from benchmarks.programs import Company, Division, Failed
from evaluation.manifest import read_manifests
from evaluation.scoring import Score, normalise, score

TOLERANCE = 0.2
"""Points of WER: what `export quantise` lets our own int8 lose."""


@dataclass(frozen=True, slots=True)
class Known:
    """A set of clips."""

    name: str
    said: Mapping[Path, str]


@dataclass(frozen=True, slots=True)
class Heard:
    """What one program made of a set."""

    equal: int
    """Texts equal to the first program's."""
    score: Score


def samples(speech: Path) -> Known:
    """Read the clips that `expected.tsv` in a folder tells the text of."""
    rows = (line.split("\t") for line in (speech / "expected.tsv").read_text(encoding="utf-8").splitlines())
    return Known("sample clips", {speech / name: text for name, text in rows})


def test_sets(manifests: Sequence[Path], most: int) -> list[Known]:
    """Read NeMo's manifests, and take at most so many clips of each set, spread over it evenly."""
    sets: dict[str, dict[Path, str]] = {}
    for clip in read_manifests(manifests) if manifests else []:
        sets.setdefault(clip.test_set, {})[clip.audio.resolve()] = clip.text
    return [Known(name, dict(list(said.items())[:: -(-len(said) // most)])) for name, said in sets.items()]


def listen(cast: Company, known: Known, division: Division) -> dict[str, Heard]:
    """Let every program hear every clip, ours first."""
    found: dict[str, Heard] = {}
    first: list[str] = []
    bar = tqdm(list(cast.programs), desc=f"texts, {known.name}", unit="program", disable=None)
    for name, _ in bar:
        try:
            texts = [str(cast.programs[name, division].ask(clip)["text"]) for clip in known.said]
        except Failed as error:
            cast.lose(name, error)
            continue
        first = first or texts
        equal = sum(normalise(ours) == normalise(theirs) for ours, theirs in zip(first, texts, strict=True))
        found[name] = Heard(equal, score(list(known.said.values()), texts))
    return found


@dataclass(frozen=True, slots=True)
class Texts:
    """What all programs made of all sets."""

    sets: Sequence[tuple[Known, Mapping[str, Heard]]] = ()
    broken: Mapping[str, str] = field(default_factory=dict)
    """Program → why it had to leave."""

    def wer(self, name: str) -> float | None:
        """Word error rate over all sets, in percent; None for what was not asked."""
        scores = [heard[name].score.words for _, heard in self.sets if name in heard]
        if not scores:
            return None
        return 100 * sum(score.errors for score in scores) / sum(score.length for score in scores)

    def counts(self, name: str) -> bool:
        """Whether a program may be somebody's best: fp32 always, int8 if its WER is no worse than ours by default.

        Give or take what our own int8 may lose. Nobody is held to be worse where no texts were compared.
        """
        ours, theirs = self.wer(OURS), self.wer(name)
        return "int8" not in name or ours is None or theirs is None or theirs <= ours + TOLERANCE
