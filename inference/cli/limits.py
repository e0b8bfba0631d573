"""The options on long audio, which both commands have, and what bounds audio beside them."""

import argparse
import math
from typing import get_args

from inference.audio.reading import PROCESSOR_SHARE
from inference.types import AudioLimits, Overlength

_LIMITS = AudioLimits()
_ANY_LENGTH = 1e12
"""Seconds, longer than any recording; not infinite, since frames are counted up to it."""
_SHORTEST = 0.1
"""Seconds of audio that are too short to be heard."""
BOUNDS = (
    f"Audio may be of any length from {_SHORTEST} s. It is refused below {_LIMITS.sample_rates[0]} Hz and above "
    f"{_LIMITS.sample_rates[1]} Hz, with more than {_LIMITS.channels} channels, and where decoding takes more "
    f"processor time than {_LIMITS.decode_seconds:g} s and {PROCESSOR_SHARE:g} of its length."
)
"""For `--help`."""


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not _SHORTEST <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from {_SHORTEST}")
    return seconds


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add `--overlength` and `--limit-seconds`."""
    parser.add_argument(
        "--overlength",
        choices=get_args(Overlength),
        default=_LIMITS.overlength,
        help="long audio: all of it in windows, or over --limit-seconds clipped or refused (default: window)",
    )
    parser.add_argument(
        "--limit-seconds",
        type=_seconds,
        default=_LIMITS.limit_seconds,
        help="for clip and reject (default: %(default)s)",
    )


def limits_of(options: argparse.Namespace, *, detect_speech: bool = True) -> AudioLimits:
    """What these options say; of a length of its own, which a server needs, the command line has none."""
    return AudioLimits(
        options.overlength, options.limit_seconds, longest_seconds=_ANY_LENGTH, detect_speech=detect_speech
    )
