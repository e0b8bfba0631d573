"""Files in which there is Hindi → its sentences, a line each, for the language model.

    python -m training.texts stories/ xquad.hi.json --forbid testsets/*/manifest.jsonl --out texts.txt

Of any file of text, whatever its format, the sentences are taken that are in Devanagari from end to end: Markdown's
marks, JSON's keys, translations beside them and a treebank's words one by one are none. Numbers are spoken out. What
shares four words in a row with a text of the tests is left out.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from training.files import RecipeError, command, read_manifest, write_text
from training.sentences import reserved, runs_of_four
from training.writing.text import is_trainable, normalise
from training.writing.transcripts import hindi

_ENDS = re.compile(r"[।॥?!.:;…=|\t\n\r{}\[\]()*#\"“”]|\\n|\\\"")
_FOREIGN = re.compile(r"[^\W\d_\u0900-\u097f]")
_FEWEST, _MOST = 3, 40
"""Words of a sentence; what has fewer is a heading or an answer."""


def sentences_of(text: str) -> Iterator[str]:
    r"""Sentences that are Devanagari from end to end, as the model writes them.

    >>> list(sentences_of("## 3\nवह घर गया। He went home.\nउसके पास 12 आम हैं?"))
    ['वह घर गया', 'उसके पास बारह आम हैं']
    """
    for part in _ENDS.split(text):
        if not _FOREIGN.search(part) and _FEWEST <= len(part.split()) <= _MOST:
            sentence = hindi(part)
            if is_trainable(sentence) and len(sentence.split()) >= _FEWEST:
                yield sentence


def gather(places: Iterable[Path], apart: set[str]) -> list[str]:
    """Different sentences of all files, and of all in folders, none of which echoes a text of `apart`."""
    forbidden = set().union(*map(runs_of_four, apart))
    found: dict[str, None] = {}
    for place in places:
        for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if file.is_dir():
                continue
            try:
                text = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise RecipeError(f"{file} cannot be read as text: {error}") from error
            found.update(dict.fromkeys(sentences_of(text)))
    return [text for text in found if text not in apart and not runs_of_four(text) & forbidden]


def main() -> None:
    """Run the step from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("places", type=Path, nargs="+", metavar="FILE", help="or a folder of files")
    parser.add_argument("--forbid", type=Path, nargs="*", default=[], metavar="MANIFEST", help="of tests")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    tests = {normalise(row["text"]) for manifest in options.forbid for row in read_manifest(manifest)}
    sentences = gather(options.places, reserved() | tests)
    write_text(options.out, "".join(f"{sentence}\n" for sentence in sentences))
    print(f"{options.out}: {len(sentences)} sentences, {sum(len(s.split()) for s in sentences)} words")


if __name__ == "__main__":
    command(main)
