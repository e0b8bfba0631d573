"""Arguments that several tools share."""

import argparse
from collections.abc import Callable
from pathlib import Path

from tools.clips import REPOSITORY


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add `--model` and `--precision`."""
    default = REPOSITORY / "models" / "hi-demo"
    parser.add_argument("--model", type=Path, default=default, help="model package (default: the embedded one)")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "int8"), help="(default: auto)")


def at_least(least: float, kind: Callable[[str], float] = float) -> Callable[[str], float]:
    """Make an argparse type: a number not below `least`."""

    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"{text} is less than {least:g}")
        return value

    return parse
