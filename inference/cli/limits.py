"""The options on long audio, which both commands have."""

import argparse
from typing import get_args

from inference.types import AudioLimits, Overlength

_LIMITS = AudioLimits()


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add `--overlength` and `--limit-seconds`."""
    parser.add_argument(
        "--overlength",
        choices=get_args(Overlength),
        default=_LIMITS.overlength,
        help="long audio: all of it in windows, or over the limit clipped or refused (default: window)",
    )
    parser.add_argument(
        "--limit-seconds", type=float, default=_LIMITS.limit_seconds, help="for clip and reject (default: %(default)s)"
    )
