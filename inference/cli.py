"""`python -m inference FILE...`: transcribe files from the command line."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from inference.errors import InferenceError
from inference.loading import CACHE, choose_decoding, load
from inference.machine import usable_cpus
from inference.package import load_package
from inference.pipeline import Pipeline
from inference.recogniser import SessionOptions
from inference.types import AudioLimits, Transcript

_EMBEDDED_MODEL = Path(__file__).parent.parent / "models" / "hi-demo"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each file; return 0, 1 where a file failed, 2 where the model did."""
    options = _parser().parse_args(arguments)
    try:
        session = SessionOptions(threads=options.threads)
        package = choose_decoding(load_package(options.model), options.decoding)
        pipeline = load(package, session, options.precision, options.cache)
    except InferenceError as error:
        print(error, file=sys.stderr)
        return 2
    for warning in pipeline.warnings:
        print(warning, file=sys.stderr)
    failures = 0
    limits = AudioLimits(overlength=options.overlength, limit_seconds=options.limit_seconds)
    for path, result in _transcribe_all(pipeline, options.files, limits):
        if "error" in result:
            failures += 1
            tqdm.write(f"{path}: {result['error']}", file=sys.stderr)
        if options.json:
            tqdm.write(json.dumps({"file": str(path), **result}, ensure_ascii=False))
        elif "text" in result:
            tqdm.write(f"{path}\t{result['text']}" if len(options.files) > 1 else result["text"])
    return 1 if failures else 0


def _transcribe_all(
    pipeline: Pipeline, files: Sequence[Path], limits: AudioLimits
) -> Iterator[tuple[Path, dict[str, Any]]]:
    # disable=None: a bar on a terminal, nothing in a pipe.
    for path in tqdm(files, unit="file", disable=None if len(files) > 1 else True):
        try:
            yield path, _row(pipeline.transcribe(path, limits))
        except (InferenceError, OSError) as error:
            yield path, {"error": str(error)}


def _row(transcript: Transcript) -> dict[str, Any]:
    return {
        "text": transcript.text,
        "language": transcript.language,
        "model": transcript.model,
        "duration": transcript.duration,
        "clipped": transcript.clipped,
        "warnings": list(transcript.warnings),
        "timings": {each.stage: each.seconds for each in transcript.stages},
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m inference", description="Transcribe audio files.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="audio of any usual kind")
    parser.add_argument("--model", type=Path, default=_EMBEDDED_MODEL, help="model package (default: the embedded one)")
    parser.add_argument("--precision", choices=("auto", "fp32", "int8"), default="auto", help="(default: auto)")
    parser.add_argument("--decoding", choices=("auto", "greedy", "beam"), default="auto", help="(default: auto)")
    parser.add_argument("--cache", type=Path, default=CACHE, help="for graphs prepared for this machine")
    parser.add_argument("--threads", type=int, default=usable_cpus(), help="ONNX Runtime threads (default: all)")
    parser.add_argument("--overlength", choices=("clip", "reject"), default="clip", help="audio over the limit")
    parser.add_argument("--limit-seconds", type=float, default=10.0, help="the limit (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, with durations and timings")
    return parser
