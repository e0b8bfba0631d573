"""What every program hears in clips whose text is known: nobody is fast by being wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rounds import Program
from export.manifest import read_manifests
from export.scoring import Score, normalise, score


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


def listen(programs: Mapping[str, Program], known: Known) -> dict[str, Heard]:
    """Let every program hear every clip."""
    first: list[str] = []
    found = {}
    for name, program in programs.items():
        texts = [str(program.ask(clip)["text"]) for clip in known.said]
        first = first or texts
        equal = sum(normalise(ours) == normalise(theirs) for ours, theirs in zip(first, texts, strict=True))
        found[name] = Heard(equal, score(list(known.said.values()), texts))
    return found
