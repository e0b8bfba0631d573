"""Two numbers side by side that mean one between them, or so many each."""

from fractions import Fraction

from inference.text.amounts import with_unit
from inference.text.lexicon import CURRENCIES, NUMBERS, ROLES, SCALES, longest, measured
from inference.text.pieces import Piece
from inference.text.quantities import Quantity, bare_scale, cardinal

_CERTAIN_FROM = 4


def between(keys: list[str], start: int) -> list[Piece]:
    """`दस पंद्रह` → `10-15`, `दो तीन सौ रुपये` → `₹200-300`; `दो तीन लोग` and `दस दस रुपये` stay as they are."""
    first = _one(keys, start)
    second = _one(keys, first.stop) if first else None
    factor = _factor(keys, first, second) if first and second else None
    if first is None or second is None or factor is None:
        return []
    low, high = first.value * factor, second.value
    if low == high:
        return [Piece(start, second.stop)]
    step = max(factor, Fraction(SCALES.get(keys[first.stop - 1], 1)))
    tens = low / step % 5 == 0 and high / step % 5 == 0
    if low > high or (high - low > 2 * step and not tens):
        return []
    text = f"{low}-{high}"
    symbol, stop = longest(CURRENCIES, keys, second.stop)
    if symbol:
        return [Piece(start, stop, symbol + text)]
    if pieces := with_unit(keys, start, second.stop, text):
        return pieces
    sure = high > 99 or low >= _CERTAIN_FROM or keys[second.stop] in ROLES["oclock"]
    return [Piece(start, second.stop, text if sure else "")]


def up_to(keys: list[str], start: int) -> list[Piece]:
    """`एक से दस` → `1 से 10`: a small number is one where a larger or a unit is at its other end."""
    first = NUMBERS.get(keys[start], 0)
    second = cardinal(keys, start + 2) if first and keys[start + 1] in ROLES["either"] else None
    if first >= _CERTAIN_FROM or second is None:
        return []
    sure = second.value >= _CERTAIN_FROM or not second.counted or measured(keys, second.stop)
    return [Piece(start, start + 1, str(first))] if sure else []


def _one(keys: list[str], start: int) -> Quantity | None:
    """`दो` of `दो तीन सौ`, `सौ` of `सौ डेढ़ सौ`, `दो सौ` of `दो सौ तीन सौ`."""
    return cardinal(keys, start) or bare_scale(keys, start)


def _factor(keys: list[str], first: Quantity, second: Quantity) -> Fraction | None:
    """Return what the first is to be multiplied with to be of the second's kind; None where they are of two kinds."""
    if not first.counted or not second.counted:
        return None
    if first.value > 99:
        return Fraction(1) if keys[first.stop - 1] == keys[second.stop - 1] and keys[first.stop - 1] in SCALES else None
    digits = NUMBERS.get(keys[first.stop])
    if not digits:
        return None
    scales = keys[first.stop + 1 : second.stop]
    factor = second.value / digits
    return factor if all(key in SCALES for key in scales) else None
