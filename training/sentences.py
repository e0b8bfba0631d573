"""Make Hindi sentences: templates filled with names and spoken numbers, and words drawn by their frequency.

    python -m training.sentences --out training/build/sentences --count 60000

writes ``train.tsv``, ``natural.tsv`` (its natural sentences alone), ``test.tsv``, ``development.tsv``, and rows of
words alone: ``development-words.tsv``, and ``words.tsv``, which nobody speaks: the language model learns rare words
from them; ``lexicon.tsv``, each of these words once; ``short.tsv``: one to three words, digits in rows, letters and
what menus hear. Sentences one already has go in with ``--extra-sentences``. No sentence of the tests, nor of the sample
clips in ``tests/data``, gets into ``train.tsv``, and of natural ones none that shares four words in a row with them.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training import DATA
from training.files import RecipeError, command, write_text
from training.writing.text import is_trainable, normalise, spoken_number

_SAMPLES = Path(__file__).parent.parent / "tests" / "data" / "expected.tsv"
_SLOT = re.compile(r"{(\w+)(?::([\d-]+))?}")


@dataclass(frozen=True)
class Sentence:
    """One line of a sentence file."""

    name: str
    kind: str
    """``everyday``, ``story`` (templates), ``words`` (by frequency), ``lexicon``, ``short``, ``natural`` or what a file
    brings."""
    text: str


def read_sentences(path: Path) -> list[Sentence]:
    """Read ``id, kind, text`` lines."""
    if not path.exists():
        raise RecipeError(f"{path} is missing: run python -m training.sentences first")
    sentences = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        columns = line.split("\t")
        if len(columns) != 3 or not is_trainable(columns[2]):
            raise RecipeError(f"{path}:{number}: wanted id, kind and plain Devanagari text, tab separated: {line!r}")
        sentences.append(Sentence(*columns))
    return sentences


def write_sentences(path: Path, sentences: list[Sentence]) -> None:
    """Write ``id, kind, text`` lines, atomically."""
    write_text(path, "".join(f"{s.name}\t{s.kind}\t{s.text}\n" for s in sentences))


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def slots() -> dict[str, list[str]]:
    """Values of every slot."""
    pairs = (line.split(":", 1) for line in _lines(DATA / "slots.txt"))
    return {name: values.strip().split("|") for name, values in pairs}


def filled(chance: random.Random, templates: list[str]) -> Iterator[str]:
    """Endless filled templates."""
    values = slots()

    def fill(match: re.Match[str]) -> str:
        slot, detail = match.groups()
        if slot == "n":
            low, high = detail.split("-")
            return spoken_number(chance.randint(int(low), int(high)))
        if slot == "digits":
            return " ".join(spoken_number(chance.randrange(10)) for _ in range(int(detail)))
        return chance.choice(values[slot])

    while True:
        yield normalise(_SLOT.sub(fill, chance.choice(templates)))


def everyday(chance: random.Random) -> Iterator[str]:
    """Everyday phrases; the tests' come from here too."""
    return filled(chance, _lines(DATA / "templates.txt"))


def stories(chance: random.Random) -> Iterator[str]:
    """Who did what, when, where and how; for training alone."""
    return filled(chance, _lines(DATA / "stories.txt"))


def lexicon() -> list[str]:
    """The words that people write most often, the most frequent first."""
    import wordfreq

    ranked = (normalise(word) for word in wordfreq.top_n_list("hi", 20_000))
    return [word for word in ranked if len(word) > 1 and is_trainable(word)]


def words(chance: random.Random) -> Iterator[str]:
    """Endless rows of 3 to 8 words, drawn by the square root of their frequency so that rare ones come up too."""
    import wordfreq

    known = lexicon()
    odds = [max(wordfreq.word_frequency(word, "hi"), 1e-8) ** 0.5 for word in known]
    while True:
        yield " ".join(chance.choices(known, odds, k=chance.randint(3, 8)))


def short(chance: random.Random) -> Iterator[str]:
    """What people say to a menu: a command, digits in a row, a number, letters of a name, one to three words alone."""
    commands, letters = _lines(DATA / "commands.txt"), _lines(DATA / "spelling.txt")[0].split()
    rows = words(chance)
    while True:
        kind = chance.random()
        if kind < 0.1:
            text = chance.choice(commands)
        elif kind < 0.3:
            text = " ".join(spoken_number(chance.randrange(10)) for _ in range(chance.choice((1, 2, 3, 4, 6, 10))))
        elif kind < 0.45:
            text = spoken_number(chance.randrange(chance.choice((100, 1_000, 100_000))))
        elif kind < 0.55:
            text = " ".join(chance.choices(letters, k=chance.randint(1, 6)))
        else:
            text = " ".join(next(rows).split()[: chance.randint(1, 3)])
        yield normalise(text)


def natural(part: str) -> list[str]:
    """Sentences written one by one for one part: `test`, `development` or `training`."""
    return [normalise(line) for line in _lines(DATA / f"{part}_sentences.txt")]


def reserved() -> set[str]:
    """Texts that must never train: sentences written for tests and validation, and the sample clips."""
    samples = {line.split("\t")[1] for line in _lines(_SAMPLES)} if _SAMPLES.exists() else set()
    return {*natural("test"), *natural("development"), *(normalise(text) for text in samples)}


def runs_of_four(text: str) -> set[tuple[str, ...]]:
    """Every four words in a row."""
    spoken = text.split()
    return {tuple(spoken[start : start + 4]) for start in range(len(spoken) - 3)}


def natural_to_train() -> list[Sentence]:
    """The natural sentences for training, without those that echo a reserved one."""
    kept_apart = reserved()
    forbidden = set().union(*map(runs_of_four, kept_apart))
    texts = dict.fromkeys(natural("training"))
    fresh = (text for text in texts if text not in kept_apart and not runs_of_four(text) & forbidden)
    return [Sentence(f"natural-{number:05d}", "natural", text) for number, text in enumerate(fresh)]


def _take(source: Iterator[str], kind: str, count: int, seen: set[str]) -> list[Sentence]:
    taken: list[Sentence] = []
    while len(taken) < count:
        text = next(source)
        if text not in seen:
            seen.add(text)
            taken.append(Sentence(f"{kind}-{len(taken):05d}", kind, text))
    return taken


def make(count: int, extra: list[Sentence], seed: int, rows_to_read: int) -> dict[str, list[Sentence]]:
    """Sentences for the tests and for watching a run (apart from `extra` too), then `count` more to train on."""
    seen = reserved() | {sentence.text for sentence in extra}
    sets: dict[str, list[Sentence]] = {}
    chance = random.Random(seed)  # noqa: S311 - the same sentences every time
    for name, each in (("test", 60), ("development", 20)):
        sets[name] = _take(everyday(chance), "everyday", each, seen) + _take(words(chance), "words", each, seen)
    for part, taken in sets.items():
        taken += [Sentence(f"natural-{i:05d}", "natural", text) for i, text in enumerate(natural(part))]
    kept = [sentence for sentence in extra if sentence.text not in reserved()]
    third = count // 3
    made = _take(everyday(chance), "everyday", third, seen) + _take(stories(chance), "story", third, seen)
    made += _take(words(chance), "words", count - 2 * third, seen)
    rows = words(random.Random(seed + 1))  # noqa: S311
    sets["development-words"] = _take(rows, "words", 120, seen)
    sets["words"] = _take(rows, "words", rows_to_read, seen)
    sets["short"] = _take(short(random.Random(seed + 2)), "short", count // 10, seen)  # noqa: S311
    sets["lexicon"] = [Sentence(f"lexicon-{i:05d}", "lexicon", word) for i, word in enumerate(dict.fromkeys(lexicon()))]
    sets["natural"] = natural_to_train()
    sets["train"] = kept + made + sets["natural"]  # last: make takes this file for the end of the step
    return sets


def main() -> None:
    """Run the step from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=60000)
    parser.add_argument("--rows", type=int, default=160_000, help="of words, for the language model alone")
    parser.add_argument("--extra-sentences", type=Path, action="append", default=[])
    parser.add_argument("--seed", type=int, default=20261122)
    options = parser.parse_args()
    extra = [sentence for path in options.extra_sentences for sentence in read_sentences(path)]
    for name, sentences in make(options.count, extra, options.seed, options.rows).items():
        write_sentences(options.out / f"{name}.tsv", sentences)
        print(f"{options.out / name}.tsv: {len(sentences)} sentences")


if __name__ == "__main__":
    command(main)
