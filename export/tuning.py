"""Weight and bonus of a language model, chosen on clips by how many errors they leave."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from evaluation.scoring import Score
from export.errors import ExportError, RefusedByGate
from inference.decoding.vocabulary import WORD_START, Vocabulary

Errors: TypeAlias = tuple[int, int]
"""Of words and of characters."""


def sentences(texts: Sequence[Path], vocabulary: Vocabulary) -> Iterator[str]:
    """Lines of text, in which what the vocabulary cannot write became spaces; raise ExportError without a text."""
    written = set("".join(vocabulary.pieces)) - {WORD_START}
    for path in texts:
        try:
            lines = unicodedata.normalize("NFC", path.read_text(encoding="utf-8")).splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ExportError(f"{path} cannot be read: {error}") from error
        yield from ("".join(letter if letter in written else " " for letter in line) for line in lines)


def errors(scores: Mapping[str, Score]) -> Errors:
    """Return those of words and of characters, over all sets."""
    return sum(s.words.errors for s in scores.values()), sum(s.characters.errors for s in scores.values())


def choose(without: Errors, name: str, tried: Mapping[tuple[float, float], Errors]) -> tuple[float, float]:
    """Print what each weight and bonus leaves of the errors there were `without`, called `name`; return the best.

    Words and characters weigh alike: by words alone, long bonuses guess. Raises RefusedByGate where none is better.
    """
    best = min(tried, key=lambda choice: left(tried[choice], without))
    print("| weight | bonus | word errors | character errors | |\n|---|---|---|---|---|")
    print(f"| {name} | | {without[0]} | {without[1]} | |")
    for (weight, bonus), (words, characters) in tried.items():
        print(f"| {weight} | {bonus} | {words} | {characters} | {'chosen' if (weight, bonus) == best else ''} |")
    if left(tried[best], without) >= left(without, without):
        raise RefusedByGate(f"no weight makes fewer errors than {name}; is it text of the clips' language?")
    return best


def left(found: Errors, before: Errors) -> float:
    """Return what is left of the errors there were before, 2 where that is all of words and of characters."""
    return sum(mine / max(1, theirs) for mine, theirs in zip(found, before, strict=True))
