"""`python -m inference FILE...`: transcribe files."""

import argparse
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from inference.audio.pieces import estimate_seconds
from inference.cli.limits import BOUNDS, add_limits, limits_of
from inference.cli.outputs import Files, Lines, Output
from inference.cli.progress import Progress
from inference.cli.sources import HELP, Search, Source
from inference.cli.workers import Here, Setup, Several
from inference.errors import InferenceError
from inference.loading import CACHE, choose_decoding
from inference.machine import usable_cpus
from inference.package import load_package
from inference.types import Channels, Options

_EMBEDDED_MODEL = Path(__file__).parent.parent.parent / "models" / "hi-demo"
_LONG_SECONDS = 60.0  # of a single file, from which on one wants to see how far it is


def run(arguments: Sequence[str]) -> int:
    """Transcribe; return 0, 1 where a file failed, 2 where the model did or results cannot be written."""
    options = _parser().parse_intermixed_args(arguments)
    with Search(options.files) as search, contextlib.ExitStack() as stack:
        sources = search.sources()
        try:
            output = _output(options, sources)
            workers = Several(_setup(options), options.jobs) if options.jobs > 1 else Here(_setup(options))
            stack.callback(workers.close)
            for warning in workers.warnings:
                print(warning, file=sys.stderr)
            return _transcribe(workers, sources, output, search, quiet=options.quiet)
        except (InferenceError, OSError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            print(error, file=sys.stderr)
            return 2


def _transcribe(workers: Here | Several, sources: list[Source], output: Output, search: Search, *, quiet: bool) -> int:
    wanted = [(place, source) for place, source in enumerate(sources) if not output.has(source)]
    measured = not quiet and sys.stderr.isatty()
    estimates = {source.name: estimate_seconds(source.path) if measured else 0.0 for _, source in wanted}
    shown = not quiet and (len(sources) > 1 or sum(estimates.values()) > _LONG_SECONDS)
    progress = Progress(estimates, shown=shown)
    try:
        for place, source, outcome in workers.outcomes(wanted, progress.heard):
            progress.take(source.name, outcome)
            output.take(place, source, outcome)
    finally:
        progress.close()
        if shown or search.passed_over:
            skipped = len(sources) - len(wanted)
            print(progress.summary(skipped=skipped, passed_over=search.passed_over), file=sys.stderr)
    return 1 if progress.failed else 0


def _setup(options: argparse.Namespace) -> Setup:
    return Setup(
        choose_decoding(load_package(options.model), options.decoding),
        options.precision,
        options.cache,
        options.threads or max(usable_cpus() // options.jobs, 1),
        limits_of(options, detect_speech=options.detect_speech),
        Options(words=options.words, channels=options.channels),
    )


def _output(options: argparse.Namespace, sources: list[Source]) -> Output:
    if options.out:
        return Files(options.out, sources, as_json=options.json, overwrite=options.overwrite)
    alone = len(options.files) == 1 and [source.name for source in sources] == options.files
    return Lines(named=not alone, as_json=options.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m inference",
        description="Transcribe audio files of any kind and length.",
        epilog=f"{BOUNDS} 'python -m inference probe FILE...' tells what files are, and what would happen to them.",
    )
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help=HELP)
    add("--out", type=Path, metavar="DIR", help="a file for each input there, .txt or .json; those that exist are kept")
    add("--overwrite", action="store_true", help="with --out: write those that exist anew")
    add("--json", action="store_true", help="JSON with times, durations and warnings; one line each on standard output")
    add("--words", action="store_true", help="in JSON: when each word was said, and how sure it is")
    add("--channels", type=_channels, default="mix", help="mix, separate (each apart), or numbers from 0, as 0,1")
    add("--jobs", type=_positive, default=1, metavar="N", help="files at a time, each in a process (default: 1)")
    add("--quiet", action="store_true", help="no progress bar and no summary; failures and warnings are still told")
    add("--model", type=Path, default=_EMBEDDED_MODEL, help="model package (default: the embedded one)")
    add("--precision", choices=("auto", "fp32", "int8"), default="auto", help="(default: auto)")
    add("--decoding", choices=("auto", "greedy", "beam"), default="auto", help="(default: auto)")
    add("--cache", type=Path, default=CACHE, help="for graphs prepared for this machine")
    add("--threads", type=_positive, help="ONNX Runtime threads of each process (default: all processors, shared)")
    detect = "no text where nobody speaks (default: yes)"
    add("--detect-speech", action=argparse.BooleanOptionalAction, default=True, help=detect)
    add_limits(parser)
    return parser


def _channels(text: str) -> Channels:
    if text in ("mix", "separate"):
        return cast("Channels", text)
    numbers = text.split(",")
    if not all(number.isdecimal() for number in numbers):
        raise argparse.ArgumentTypeError(f"{text!r} is not mix, separate, or numbers from 0 with commas, as 0,1")
    return tuple(map(int, numbers))


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)
