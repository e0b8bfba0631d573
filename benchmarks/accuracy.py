"""What every program hears in clips whose text is known: nobody is fast by being wrong."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from benchmarks.programs import Company, Division
from evaluation.manifest import read_manifests
from evaluation.scoring import score
from loadtest.harness import REPOSITORY
from loadtest.harness.children import Failed


def known_clips(manifests: Sequence[Path], most: int) -> dict[Path, str]:
    """The sample clips, and at most so many clips of NeMo's manifests, spread over them evenly; with their texts."""
    speech = REPOSITORY / "tests" / "data"
    rows = (line.split("\t") for line in (speech / "expected.tsv").read_text(encoding="utf-8").splitlines())
    found = {speech / name: text for name, text in rows}
    more = list(read_manifests(manifests)) if manifests else []
    return found | {clip.audio.resolve(): clip.text for clip in more[:: -(-len(more) // most) or 1]}


def word_error_rates(cast: Company, known: Mapping[Path, str], division: Division) -> dict[str, float]:
    """Program → percent of words; without a program that breaks down."""
    found: dict[str, float] = {}
    for name, _ in tqdm(list(cast.programs), desc="texts", unit="program", disable=None):
        try:
            texts = [cast.programs[name, division].hear([clip])[0].text for clip in known]
        except Failed as error:
            cast.lose(name, error)
        else:
            found[name] = score(list(known.values()), texts).words.percent
    return found
