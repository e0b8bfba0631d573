"""Words → quantities: cardinals in the Indian system, साढ़े and its kin, decimals, fractions.

A parser by recursive descent over folded words, each function from a position to what begins there. The lists of words
end with empty ones, so that looking ahead needs no bounds.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

from inference.text.lexicon import DIGITS, FIXED, HALVES, NUMBERS, ROLES, SCALES

_HUNDRED, _THOUSAND, _CRORE = 100, 1_000, 10_000_000
_ARAB = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as it was said."""

    value: Fraction
    stop: int
    """The position behind its last word."""
    places: str = ""
    """The digits said behind a decimal point."""
    sign: str = ""

    @property
    def decimal(self) -> str:
        """`7.25`; as many places as were said."""
        places = self.places or _places(self.value % 1)
        return f"{self.sign}{self.value // 1}{'.' if places else ''}{places}"

    @property
    def mixed(self) -> str:
        """`7 1/4`, where a quarter or a half was said."""
        part = self.value % 1
        if self.places or not part:
            return self.decimal
        whole = f"{self.value // 1} " if self.value > 1 else ""
        return f"{self.sign}{whole}{part}"

    @property
    def counted(self) -> bool:
        """Whether it is a whole number, said without a decimal point."""
        return not self.places and self.value.denominator == 1


def cardinal(keys: list[str], start: int) -> Quantity | None:
    """Return `दो हज़ार पाँच सौ` as 2500, `साढ़े सात` as 7½; what is said in hundreds (`उन्नीस सौ बारह`) too."""
    total, ceiling, at, crores = Fraction(0), 0, start, False
    while (group := _group(keys, at)) is not None:
        value, behind = group
        scale = _scale(keys, behind)
        if ceiling == _THOUSAND and scale >= _CRORE and not crores:  # दो हज़ार पाँच सौ करोड़
            total, ceiling, at = (total + value) * scale, scale, behind + 1
        elif scale and (not ceiling or scale < ceiling) and (value < _HUNDRED or scale >= _CRORE):
            total, ceiling, at = total + value * scale, scale, behind + 1
        else:
            if not ceiling or (not scale and value < ceiling and (total + value).denominator == 1):
                total, at = total + value, behind
            break
        higher = _scale(keys, at)
        if higher >= _CRORE and not crores and ceiling < _CRORE:  # पाँच लाख करोड़
            total, ceiling, at = total * higher, higher, at + 1
        crores = crores or ceiling >= _CRORE
    return Quantity(total, at) if at > start else None


def bare_scale(keys: list[str], start: int) -> Quantity | None:
    """Return `सौ` as 100: a scale without a number, which is one in some places only."""
    scale = SCALES.get(keys[start])
    return Quantity(Fraction(scale), start + 1) if scale else None


def number(keys: list[str], start: int) -> Quantity | None:
    """Return a cardinal or a decimal, with its sign."""
    sign = ROLES["sign"].get(keys[start], "")
    at = start + bool(sign)
    if keys[at] in NUMBERS and NUMBERS[keys[at]] == 0:
        whole: Quantity | None = Quantity(Fraction(0), at + 1)
    else:
        whole = cardinal(keys, at) or bare_scale(keys, at)
    if whole is None:
        return None
    if keys[whole.stop] in ROLES["point"]:
        whole = _decimal(keys, whole)
    return replace(whole, sign=sign)


def fraction(keys: list[str], start: int) -> tuple[str, int] | None:
    """Return `एक सौ एक बटा दो` as `101/2`, `दो तिहाई` as `2/3`, `एक सही एक बटा दो` as `1 1/2`, and its end."""
    whole = cardinal(keys, start)
    if whole is None or keys[whole.stop] not in ROLES["whole"]:
        return _proper(keys, start)
    part = _proper(keys, whole.stop + 1)
    return (f"{whole.decimal} {part[0]}", part[1]) if part and whole.counted else None


def _proper(keys: list[str], start: int) -> tuple[str, int] | None:
    above = cardinal(keys, start)
    if above is None or not above.counted:
        return None
    if keys[above.stop] in ROLES["part"] and above.value < 10:
        return f"{above.value}/{ROLES['part'][keys[above.stop]]}", above.stop + 1
    below = cardinal(keys, above.stop + 1) if keys[above.stop] in ROLES["over"] else None
    return (f"{above.value}/{below.value}", below.stop) if below and below.counted else None


def _scale(keys: list[str], at: int) -> int:
    """Return the scale here from a thousand on, or 0; `अरब` is one unless Arabs are meant."""
    scale = SCALES.get(keys[at], 0)
    if scale == _ARAB and keys[at + 1] in ROLES["people"]:
        return 0
    return scale if scale > _HUNDRED else 0


def _group(keys: list[str], at: int) -> tuple[Fraction, int] | None:
    """Return what stands before a scale: up to 99, or hundreds, with what `साढ़े` and the like add."""
    plain = _below_hundred(keys, at)
    if plain is None:
        return None
    value, behind = plain
    if SCALES.get(keys[behind]) != _HUNDRED:
        return value, behind
    value, behind = value * _HUNDRED, behind + 1
    tail = NUMBERS.get(keys[behind], 0)
    ends = SCALES.get(keys[behind + 1], _CRORE) >= _CRORE
    if tail and ends and keys[at] not in HALVES and keys[at] not in FIXED:
        return value + tail, behind + 1
    return value, behind


def _below_hundred(keys: list[str], at: int) -> tuple[Fraction, int] | None:
    key = keys[at]
    if key in NUMBERS:
        return (Fraction(NUMBERS[key]), at + 1) if NUMBERS[key] else None
    if key in FIXED:
        return FIXED[key], at + 1
    if key in HALVES:
        behind = NUMBERS.get(keys[at + 1], 0)
        if behind:
            return behind + HALVES[key], at + 2
        if SCALES.get(keys[at + 1]) and HALVES[key] != Fraction(1, 2):  # सवा सौ
            return 1 + HALVES[key], at + 1
    return None


def _decimal(keys: list[str], whole: Quantity) -> Quantity:
    at = first = whole.stop + 1
    while keys[at] in DIGITS:
        at += 1
    places = "".join(DIGITS[key] for key in keys[first:at])
    if not places and keys[at] in NUMBERS:  # सात दशमलव पच्चीस
        places, at = str(NUMBERS[keys[at]]), at + 1
    if not places or not whole.counted:
        return whole
    scaled = whole.value + Fraction(int(places), 10 ** len(places))
    if not _scale(keys, at):
        return Quantity(whole.value, at, places)
    while scale := _scale(keys, at):  # दो दशमलव पाँच लाख करोड़
        scaled, at = scaled * scale, at + 1
    return Quantity(scaled, at, _places(scaled % 1))


def _places(part: Fraction) -> str:
    """Digits behind the point of a part that has few: `25` of a quarter, none of 0."""
    digits = ""
    while part:
        digits += str(int(10 * part))
        part = 10 * part % 1
    return digits
