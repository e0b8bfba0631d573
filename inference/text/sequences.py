"""Digits said one by one: telephone numbers, postal codes, house numbers; mobile numbers in pairs."""

from inference.text.lexicon import DIGITS, NUMBERS, ROLES, SCALES
from inference.text.pieces import Piece

_COUNTRY = "91"
_MOBILE = 10
_SHORT, _LONGEST = 4, 20
"""Fewer digits are no account or telephone number said in pairs; and nobody says more words."""
_STREET_WITHIN = 3


def digit_sequence(keys: list[str], start: int) -> list[Piece]:
    """Return what is written for the sequence that begins here, or nothing.

    Four digits or more are one; three unless they ascend, as in `दो तीन चार लोग`; two where a word beside them says so
    (`नंबर`, `रोड`).
    """
    plus = keys[start] in ROLES["plus"]
    digits, stop = _run(keys, start + plus)
    if plus:
        return _with_country(start, digits, stop) if len(digits) >= _MOBILE else []
    if len(digits) == 3 and digits[0] < digits[1] < digits[2]:
        return [Piece(start, stop)]
    if not _is_sequence(keys, start, digits, stop):
        return _pairs(keys, start)
    text = digits
    while keys[stop] in ROLES["joint"]:
        more, behind = _run(keys, stop + 1)
        if not more:
            break
        text, stop = f"{text}{ROLES['joint'][keys[stop]]}{more}", behind
    return [Piece(start, stop, text)]


def _run(keys: list[str], start: int) -> tuple[str, int]:
    digits, at = "", start
    while keys[at] in DIGITS or (keys[at] in ROLES["repeat"] and keys[at + 1] in DIGITS):
        times = int(ROLES["repeat"].get(keys[at], "1"))
        at += times > 1
        digits, at = digits + times * DIGITS[keys[at]], at + 1
    if keys[at] in SCALES or keys[at] in ROLES["point"]:  # The last belongs to a number: दो तीन सौ
        return digits[:-1], max(at - 1, start)
    return digits, at


def _is_sequence(keys: list[str], start: int, digits: str, stop: int) -> bool:
    if len(digits) > 2:
        return True
    if len(digits) < 2 or any(key not in NUMBERS for key in keys[start:stop]):
        return False
    joined = keys[stop] in ROLES["joint"] and keys[stop + 1] in NUMBERS
    street = any(key in ROLES["street"] for key in keys[stop : stop + _STREET_WITHIN])
    return keys[start - 1] in ROLES["cue"] or joined or street


def _with_country(start: int, digits: str, stop: int) -> list[Piece]:
    if digits.startswith(_COUNTRY) and len(digits) == len(_COUNTRY) + _MOBILE and stop - start == len(digits) + 1:
        behind = start + 1 + len(_COUNTRY)
        return [Piece(start, behind, "+" + _COUNTRY), Piece(behind, stop, digits[len(_COUNTRY) :])]
    return [Piece(start, stop, "+" + digits)]


def _pairs(keys: list[str], start: int) -> list[Piece]:
    """Ten digits in pairs, as mobile numbers begin, with 6 to 9; behind a word for a number, as many as are said."""
    digits, at = "", start
    while keys[at] in NUMBERS and at - start < _LONGEST:
        digits, at = digits + str(NUMBERS[keys[at]]), at + 1
    if at - start < 3 or keys[at] in SCALES:
        return []
    mobile = len(digits) == _MOBILE and digits[0] in "6789"
    cue = keys[start - 2] if keys[start - 1] == "है" else keys[start - 1]
    return [Piece(start, at, digits)] if mobile or (cue in ROLES["cue"] and len(digits) > _SHORT) else []
