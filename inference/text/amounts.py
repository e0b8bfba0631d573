"""Money, measures, fractions, ordinals and plain numbers in words → digits."""

from fractions import Fraction

from inference.text.lexicon import CURRENCIES, NUMBERS, ORDINALS, ROLES, SCALES, SHARES, UNITS, longest
from inference.text.pieces import Piece
from inference.text.quantities import Quantity, bare_scale, cardinal, fraction, number

_KEEP = "="
_RUPEE, _PAISE = "₹", ("पैसा", "पैसे")
_ORDINALS_FROM = 5
"""पहला, दूसरा, तीसरा, चौथा stay."""
_LONGEST = 16
_BEFORE_ORDINAL = frozenset([*NUMBERS, *SCALES])


def amount(keys: list[str], start: int, *, alone: bool) -> list[Piece]:
    """Return what is written for the quantity that begins here, or nothing where it stays in words.

    Where a text is `alone` in naming a number, words are numbers that in a sentence would not be: एक, सौ, आधा.
    """
    for rule in (_product, _ordinal, _fraction):
        if pieces := rule(keys, start):
            return pieces
    said = number(keys, start) or _share(keys, start, alone=alone)
    if said is None:
        return []
    text = said.mixed if keys[start] in SHARES else said.decimal
    if pieces := _money(keys, start, said) or with_unit(keys, start, said.stop, text):
        return pieces
    return _plain(keys, start, said, alone=alone and not keys[said.stop])


def _money(keys: list[str], start: int, said: Quantity) -> list[Piece]:
    """`छह सौ पच्चीस रुपये दो पैसे` → `₹625.02`, `साढ़े पाँच रुपये` → `₹5.50`."""
    symbol, stop = longest(CURRENCIES, keys, said.stop)
    if not symbol:
        return []
    text = f"{said.sign}{symbol}{said.decimal.removeprefix(said.sign)}"
    if not said.counted:
        return [Piece(start, stop, text if said.places else text + "0" * (said.value.denominator == 2))]
    paise = cardinal(keys, stop + (keys[stop] in ROLES["and"]))
    if symbol == _RUPEE and paise and paise.counted and keys[paise.stop] in _PAISE:
        return [Piece(start, paise.stop + 1, f"{text}.{int(paise.value):02}")]
    return [Piece(start, stop, text)]


def with_unit(keys: list[str], start: int, at: int, text: str) -> list[Piece]:
    """`पच्चीस किलो` → `25 kg`, `पचास प्रतिशत` → `50%`, `दो चम्मच` → `2 चम्मच`."""
    unit, stop = longest(UNITS, keys, at)
    if not unit:
        return []
    if unit == "%":
        return [Piece(start, stop, text + unit)]
    return [Piece(start, at, text), Piece(at, stop, "" if unit == _KEEP else unit)]


def _product(keys: list[str], start: int) -> list[Piece]:
    """`बाईस बाई पाँच घन फीट` → `22x5 ft³`."""
    first = cardinal(keys, start)
    second = cardinal(keys, first.stop + 1) if first and keys[first.stop] in ROLES["by"] else None
    if first is None or second is None:
        return []
    text = f"{first.decimal}x{second.decimal}"
    return with_unit(keys, start, second.stop, text) or [Piece(start, second.stop, text)]


def _ordinal(keys: list[str], start: int) -> list[Piece]:
    """`एक सौ उन्नीसवीं` → `119वीं`."""
    last = next((at for at in range(start, start + _LONGEST) if keys[at] not in _BEFORE_ORDINAL), start)
    if keys[last] not in ORDINALS:
        return []
    stem, suffix = ORDINALS[keys[last]]
    stems = [*keys[start:last], stem, "", ""]
    said = cardinal(stems, 0) or bare_scale(stems, 0)
    if said is None or not said.counted or said.stop <= last - start or said.value < _ORDINALS_FROM:
        return []
    return [Piece(start, last + 1, said.decimal, keep=len(suffix))]


def _fraction(keys: list[str], start: int) -> list[Piece]:
    said = fraction(keys, start)
    if said is None:
        return []
    text, stop = said
    return with_unit(keys, start, stop, text) or [Piece(start, stop, text)]


def _share(keys: list[str], start: int, *, alone: bool) -> Quantity | None:
    """`आधा कप` as ½, `सवा किलो` as 1¼; `आधा काम` and `आधा घंटा` stay."""
    counted = longest(UNITS, keys, start + 1)[0]
    if keys[start] in SHARES and (counted or (alone and not keys[start + 1])):
        return Quantity(SHARES[keys[start]], start + 1)
    if ROLES["half"].get(keys[start]) == "1/4" and (counted or longest(CURRENCIES, keys, start + 1)[0]):
        return Quantity(Fraction(5, 4), start + 1)
    return None


def _plain(keys: list[str], start: int, said: Quantity, *, alone: bool) -> list[Piece]:
    if keys[said.stop] in ROLES["duration"] and not said.counted:
        return [Piece(start, said.stop, said.decimal)]
    single = said.stop == start + 1
    doubtful = single and (keys[start] in ROLES["reluctant"] or keys[start] in SCALES)
    counted = alone or keys[start - 1] in ROLES["cue"] or keys[said.stop] in ROLES["day"]
    return [Piece(start, said.stop, said.mixed)] if counted or not doubtful else []
