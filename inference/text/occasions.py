"""Dates, years, clock times and durations in words → digits."""

from fractions import Fraction

from inference.text.lexicon import ERAS, FIXED, HALVES, NUMBERS, ROLES, SCALES, SHARES, longest, measured
from inference.text.pieces import Piece
from inference.text.quantities import Quantity, cardinal

_YEARS = range(1000, 2200)
_HOURS, _SIXTY = range(1, 25), 60
_QUARTER_HOURS = {Fraction(0): "00", Fraction(1, 4): "15", Fraction(1, 2): "30", Fraction(3, 4): "45"}


def date(keys: list[str], start: int) -> list[Piece]:
    """`पच्चीस मार्च दो हज़ार दस` → `25 मार्च, 2010`; `मार्च की दो`, `मार्च दो हज़ार दस`; years with an era."""
    if keys[start] in ROLES["month"]:
        return _month_first(keys, start)
    if keys[start + 1] in ROLES["month"] and (day := _day(keys, start)):
        return [Piece(start, start + 1, day), *_month_and_year(keys, start + 1)]
    year = cardinal(keys, start)
    if year is None or not year.counted:
        return []
    era = _era(keys, year.stop)
    return [Piece(start, year.stop, year.decimal), *era] if era else []


def years(keys: list[str], start: int) -> list[Piece]:
    """`उन्नीस सौ नब्बे से उन्नीस सौ इक्यानबे` → `1990-1991`, `उन्नीस सौ बीस से छब्बीस तक` → `1920-26 तक`."""
    first = _year(keys, start)
    if first is None or keys[first.stop] not in ROLES["to"]:
        return []
    second = cardinal(keys, first.stop + 1)
    if second is None or not second.counted or measured(keys, second.stop):
        return []
    era = _era(keys, second.stop)
    if second.value in _YEARS:
        fits = first.value < second.value or bool(era)
        fits = fits and bool(first.value % 100 or second.value % 100)
    else:
        ends = not keys[second.stop] or keys[second.stop] == "तक" or bool(era)
        fits = ends and first.value % 100 < second.value < 100
    return [Piece(start, second.stop, f"{first.value}-{second.value}"), *era] if fits else []


def clock(keys: list[str], start: int) -> list[Piece]:
    """`साढ़े पाँच बजे` → `5:30`, `दो बजकर ग्यारह मिनट आठ सेकंड` → `2:11:08`; without a word for it, `दस अठारह पर`."""
    hour, at = _hour(keys, start)
    if hour is None:
        return []
    if keys[at] not in ROLES["oclock"]:
        return _unmarked(keys, start, hour, at)
    text, at = f"{hour // 1}:{_QUARTER_HOURS[hour % 1]}", at + 1
    minute, behind = _counted(keys, at, "minutes")
    if not minute and keys[at - 1] != "बजे" and NUMBERS.get(keys[at], _SIXTY) < _SIXTY and not measured(keys, at + 1):
        minute, behind = str(NUMBERS[keys[at]]), at + 1
    if minute and not hour % 1:
        text, at = f"{hour}:{minute:0>2}", behind
    second, behind = _counted(keys, at, "seconds")
    return [Piece(start, behind, f"{text}:{second:0>2}")] if second else [Piece(start, at, text)]


def duration(keys: list[str], start: int) -> list[Piece]:
    """`नौ घंटा दो सेकंड` → `9:00:02`; without seconds the words stay: `2 घंटे 30 मिनट`."""
    hour, at = _counted(keys, start, "hours")
    minute, at = _counted(keys, at, "minutes")
    second, behind = _counted(keys, at, "seconds")
    if second and at > start:
        return [Piece(start, behind, f"{hour or '00'}:{minute or '0':0>2}:{second:0>2}")]
    if hour and minute:
        return [Piece(start, start + 1, hour), Piece(at - 2, at - 1, minute)]
    return []


def _month_first(keys: list[str], start: int) -> list[Piece]:
    if keys[start + 1] in ROLES["of"]:  # मार्च की दो
        day, stop = _day(keys, start + 2), start + 3
        ends = not keys[stop] or keys[stop] in ROLES["day"] or keys[stop] == "को"
        return [Piece(start + 1, stop, day)] if day and ends else []
    if year := _year(keys, start + 1):
        return [Piece(start + 1, year.stop, year.decimal)]
    day, stop = _day(keys, start + 1), start + 2
    if not day or measured(keys, stop) or keys[stop] in ROLES["month"]:
        return []
    year = _year(keys, stop)
    if year is None:
        return [Piece(start + 1, stop, day)]
    return [Piece(start + 1, stop, f"{day},"), Piece(stop, year.stop, year.decimal)]


def _month_and_year(keys: list[str], month: int) -> list[Piece]:
    year = _year(keys, month + 1)
    if year is None:
        return []
    return [Piece(month, month + 1, tail=","), Piece(month + 1, year.stop, year.decimal), *_era(keys, year.stop)]


def _day(keys: list[str], at: int) -> str:
    day = NUMBERS.get(keys[at], 0)
    return str(day) if 0 < day < 32 else ""


def _year(keys: list[str], at: int) -> Quantity | None:
    year = cardinal(keys, at) if keys[at + 1] in SCALES else None
    return year if year and year.value in _YEARS and year.counted and not measured(keys, year.stop) else None


def _era(keys: list[str], at: int) -> list[Piece]:
    era, stop = longest(ERAS, keys, at)
    return [Piece(at, stop, era)] if era else []


def _hour(keys: list[str], at: int) -> tuple[Fraction | None, int]:
    """Return the hour with its quarters and the position behind; `सवा बजे` is a quarter past one, `पौन` to."""
    key = keys[at]
    if keys[at + 1] in ROLES["oclock"] and (key in SHARES or key in HALVES):
        hour = {Fraction(1, 4): Fraction(5, 4), Fraction(3, 4): Fraction(51, 4)}.get(SHARES.get(key) or HALVES[key])
        return hour, at + 1
    if key in FIXED:
        return FIXED[key], at + 1
    half = HALVES.get(key)
    at += half is not None
    hour = Fraction(NUMBERS.get(keys[at], 0))
    if hour not in _HOURS:
        return None, at
    return (hour + (half or 0)) if hour + (half or 0) >= 1 else Fraction(51, 4), at + 1


def _unmarked(keys: list[str], start: int, hour: Fraction, at: int) -> list[Piece]:
    """`साढ़े ग्यारह`, `दस अठारह`: where the text ends behind them, or a word like `पर` follows."""
    if hour > 13 or keys[start] in FIXED:
        return []
    minute, behind = f"{_QUARTER_HOURS[hour % 1]}", at
    if hour.denominator == 1:
        value, behind = NUMBERS.get(keys[at], 0), at + 1
        if value not in range(10, 60) or _likely_range(int(hour), value):
            return []
        minute = str(value)
    until = cardinal(keys, behind + 1) if keys[behind] in ROLES["to"] else None
    counted = until and (measured(keys, until.stop) or keys[until.stop] in ROLES["duration"])  # साढ़े तीन से चार किलो
    ends = not keys[behind] or (keys[behind] in ROLES["moment"] and not counted)
    return [Piece(start, behind, f"{hour // 1}:{minute}")] if ends and keys[start - 1] not in NUMBERS else []


def _likely_range(first: int, second: int) -> bool:
    """`दस बारह`, `दस पंद्रह`: so many, about."""
    return second - first < 3 or (first % 5 == 0 and second % 5 == 0)


def _counted(keys: list[str], at: int, role: str) -> tuple[str, int]:
    if keys[at] in NUMBERS and keys[at + 1] in ROLES[role] and NUMBERS[keys[at]] < _SIXTY:
        return str(NUMBERS[keys[at]]), at + 2
    return "", at
