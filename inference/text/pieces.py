"""What a rule of the grammar gives back."""

from typing import NamedTuple


class Piece(NamedTuple):
    """What is written for the words from `start` up to `stop`."""

    start: int
    stop: int
    text: str = ""
    """Empty: the words stay as they are."""
    keep: int = 0
    """So many characters from the end of the last word follow: the `वीं` of an ordinal."""
    tail: str = ""
    """Follows behind all: the comma of a date."""
