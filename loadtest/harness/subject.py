"""What is measured: a package in a precision, as a server, as the bare library, and with clips whose text it gave."""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loadtest.harness import REPOSITORY
from loadtest.harness.clips import Clip, make_clips
from loadtest.harness.library import BareLibrary, library
from loadtest.harness.server import GunicornServer

TUNED = REPOSITORY / "build" / "tuned.yaml"
"""The profile that `python -m loadtest tune` writes and `make run` picks up."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A package and how it is computed."""

    model: Path
    precision: str

    def clips(self, lengths: Sequence[float]) -> list[Clip]:
        """Cut a clip for each length in seconds; none may be longer than the server's ASR_WINDOW_SECONDS.

        Raises InferenceError where the package cannot be used. The model is gone afterwards: it maps the weights that
        lanes map, whose memory may be measured next.
        """
        return make_clips(library(str(self.model), 1, precision=self.precision).hear, lengths)

    @contextmanager
    def server(self, directory: Path | None = None, **settings: object) -> Iterator[GunicornServer]:
        """Run a server; `settings` are environment variables beside the model's.

        Its log stays in `directory`, where one is given. Raises ServerFailed.
        """
        with tempfile.TemporaryDirectory(prefix="measured-") as scratch:
            chosen = {"ASR_PRECISION": self.precision, **settings}
            with GunicornServer(self.model.resolve(), directory or Path(scratch), chosen) as server:
                yield server

    def library(self, processes: int, threads: int, *, spinning: bool = False) -> BareLibrary:
        """Start so many processes of the bare library."""
        given = {"model": self.model, "precision": self.precision, "threads": threads, "spinning": spinning}
        return BareLibrary(processes, given)


def add_subject(parser: argparse.ArgumentParser) -> None:
    """Add `--model` and `--precision`."""
    default = REPOSITORY / "models" / "hi-demo"
    parser.add_argument("--model", type=Path, default=default, help="model package (default: the embedded one)")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "int8"), help="(default: auto)")


def chosen_subject(options: argparse.Namespace) -> Subject:
    """Read them."""
    return Subject(options.model, options.precision)


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
