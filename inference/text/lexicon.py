"""The words that numbers are said with, read from `tables/`; and under which spelling they are looked up."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import product
from pathlib import Path

_TABLES = Path(__file__).parent / "tables"
_ALIKE = str.maketrans({"\u093c": None, "ँ": "ं", "\u200c": None, "\u200d": None})
_SUFFIXES = ("वां", "वीं", "वी", "वें", "वे")

Phrase = tuple[str, ...]


def fold(word: str) -> str:
    """Return the spelling under which a word stands here: NFC, without nuktas, a candrabindu as anusvara."""
    return unicodedata.normalize("NFC", word).translate(_ALIKE)


def longest(phrases: Mapping[Phrase, str], keys: list[str], start: int) -> tuple[str, int]:
    """Return the value of the longest phrase that begins at `start` and its end; an end of `start` where none does."""
    if keys[start] in _FIRST_WORDS:
        for length in range(4, 0, -1):
            value = phrases.get(tuple(keys[start : start + length]))
            if value is not None:
                return value, start + length
    return "", start


def measured(keys: list[str], at: int) -> bool:
    """Whether a unit, a currency or a scale stands here, so that what stands before it is a number of those."""
    return keys[at] in SCALES or longest(CURRENCIES, keys, at)[1] > at or longest(UNITS, keys, at)[1] > at


def _rows(table: str) -> Iterator[tuple[str, ...]]:
    for line in (_TABLES / table).read_text("utf-8").splitlines():
        if not line.startswith("#"):
            yield tuple(line.split("\t"))


def _phrase(name: str) -> Phrase:
    return tuple(fold(name).split())


def _roles() -> dict[str, dict[Phrase, str]]:
    roles: dict[str, dict[Phrase, str]] = {}
    for role, value, *names in _rows("words.tsv"):
        roles.setdefault(role, {}).update((_phrase(name), value) for name in names)
    return roles


def _words(role: str) -> dict[str, str]:
    return {phrase[0]: value for phrase, value in _ROLES[role].items()}


def _units() -> dict[Phrase, str]:
    kinds: dict[str, list[tuple[str, str]]] = {}
    for kind, symbol, *names in _rows("units.tsv"):
        kinds.setdefault(kind, []).extend((symbol, name) for name in names)
    prefixes, bases = kinds["prefix"], kinds["base"]
    metric = [
        *bases,
        *((p + b, f"{pre}{gap}{base}") for (p, pre), (b, base), gap in product(prefixes, bases, ("", " "))),
    ]
    lengths = [*kinds["length"], *((s, name) for s, name in metric if s.endswith("m"))]
    powers = (("²", "वर्ग"), ("³", "घन"), ("³", "क्यूबिक"))
    times = (("h", "घंटा"), ("h", "घंटे"), ("min", "मिनट"), ("s", "सेकंड"), ("s", "सेकेंड"))
    made = [
        *((s + power, f"{word}{gap}{name}") for (s, name), (power, word), gap in product(lengths, powers, ("", " "))),
        *((f"{s}/{t}", f"{name} प्रति{gap}{time}") for (s, name), (t, time), gap in product(lengths, times, ("", " "))),
    ]
    return {_phrase(name): symbol for symbol, name in [*made, *metric, *lengths, *kinds["symbol"], *kinds["word"]]}


def _ordinals(stems: Iterable[str]) -> dict[str, tuple[str, str]]:
    regular = {stem + suffix: (stem, suffix) for stem in stems for suffix in _SUFFIXES}
    return {**{"न" + suffix: ("नौ", suffix) for suffix in _SUFFIXES if suffix != "वी"}, **regular}


_ROLES = _roles()

NUMBERS: Mapping[str, int] = {fold(name): int(value) for value, names in _rows("numbers.tsv") for name in names.split()}
"""0 to 99, each in many spellings."""
DIGITS: Mapping[str, str] = {word: str(value) for word, value in NUMBERS.items() if value < 10} | _words("digit")
"""What may be said in a telephone number, English words too, which are no numbers elsewhere."""
SCALES: Mapping[str, int] = {word: int(value) for word, value in _words("scale").items()}
HALVES: Mapping[str, Fraction] = {word: Fraction(value) for word, value in _words("half").items()}
"""What `साढ़े` and the like add to the number behind them."""
FIXED: Mapping[str, Fraction] = {word: Fraction(value) for word, value in _words("fixed").items()}
SHARES: Mapping[str, Fraction] = {word: Fraction(value) for word, value in _words("share").items()}
ORDINALS: Mapping[str, tuple[str, str]] = {
    word: parts for word, parts in _ordinals([*NUMBERS, *SCALES]).items() if word not in NUMBERS
}
"""`दसवीं` → `दस`, `वीं`. `पहला` to `चौथा` and `छठा` are words."""
CURRENCIES: Mapping[Phrase, str] = {_phrase(name): row[0] for row in _rows("currencies.tsv") for name in row[1:]}
UNITS: Mapping[Phrase, str] = _units()
"""Their symbols; `=` where the word stays."""
IDIOMS: Mapping[Phrase, str] = _ROLES["idiom"]
ERAS: Mapping[Phrase, str] = _ROLES["era"]
ROLES: Mapping[str, Mapping[str, str]] = {role: _words(role) for role in _ROLES}
"""Single words with their values by what they do in a sentence (`tables/words.tsv`)."""
STARTERS = frozenset(
    [*DIGITS, *NUMBERS, *SCALES, *HALVES, *FIXED, *SHARES, *ORDINALS]
    + [word for role in ("month", "sign", "plus", "repeat") for word in ROLES[role]]
)
"""Nothing else begins what is written in digits."""
_FIRST_WORDS = frozenset(phrase[0] for phrases in (CURRENCIES, UNITS, IDIOMS, ERAS) for phrase in phrases)
