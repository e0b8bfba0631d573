"""The options on long audio, which both commands have."""

import argparse
import math
from typing import get_args

from inference.types import AudioLimits, Overlength

_LIMITS = AudioLimits()
_SHORTEST = 0.1
"""Seconds of audio that are too short to be heard."""


def _seconds(text: str) -> float:
    seconds = float(text)
    if not _SHORTEST <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text}: at least {_SHORTEST} s, and finite")
    return seconds


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add `--overlength` and `--limit-seconds`."""
    parser.add_argument(
        "--overlength",
        choices=get_args(Overlength),
        default=_LIMITS.overlength,
        help="long audio: all of it in windows, or over the limit clipped or refused (default: window)",
    )
    parser.add_argument(
        "--limit-seconds",
        type=_seconds,
        default=_LIMITS.limit_seconds,
        help="for clip and reject (default: %(default)s)",
    )
