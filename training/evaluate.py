"""Measure a package as the server runs it: `inference` and nothing else, no torch.

    python -m training.evaluate models/hi-demo training/build/testsets/unseen/manifest.jsonl

prints WER and CER with Vistaar's normalisation, overall and by voice, with 95 % bootstrap intervals: over speakers
where the manifest names three or more, over clips elsewhere. Of clips without a text it counts those that give one.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from tqdm import tqdm

from evaluation.scoring import Score, score
from export.package_writer import write_manifest as write_package_manifest
from inference.errors import InferenceError
from inference.loading import choose_decoding, load
from inference.package import Package, load_package
from inference.pipeline import Pipeline
from inference.recogniser import SessionOptions
from inference.types import AudioLimits, Options
from training.figures import report
from training.files import RecipeError, command, read_manifest, write_manifest


def transcribe(
    pipeline: Pipeline, rows: list[dict[str, Any]], *, detect_speech: bool = True, as_recordings: bool = False
) -> list[str]:
    """Text of every clip; `as_recordings` in windows, however short it is."""
    limits = AudioLimits("clip", limit_seconds=pipeline.package.longest_seconds, detect_speech=detect_speech)
    options = Options(channels="separate" if as_recordings else "mix")  # which only recordings have
    texts = []
    for row in tqdm(rows, unit="clip", desc=pipeline.package.name, disable=None):
        try:
            texts.append(pipeline.transcribe(Path(row["audio_filepath"]).read_bytes(), limits, options).text)
        except (OSError, InferenceError) as error:
            raise RecipeError(f"{row['audio_filepath']}: {error}") from error
    return texts


def record(package: Package, manifest: Path, precision: str, found: Score) -> None:
    """Write a test set's figures into the package's ``model.yaml``, in place of older ones of the same way."""
    entry = {
        "set": manifest.parent.name,
        "precision": precision,
        "decoding": package.decoding,
        "clips": found.utterances,
        "wer": round(found.words.percent, 1),
        "cer": round(found.characters.percent, 1),
    }
    stored = load_package(package.directory)
    same = ("set", "precision", "decoding")
    # Before there were language models, no row said how it was decoded.
    others = (
        old for old in stored.accuracy if any({"decoding": "greedy", **old}.get(key) != entry[key] for key in same)
    )
    write_package_manifest(dataclasses.replace(stored, accuracy=(*others, entry)))


def main() -> None:
    """Run the step from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("manifest", type=Path, nargs="+")
    parser.add_argument("--precision", default="fp32", choices=("fp32", "int8"))
    parser.add_argument("--decoding", default="auto", choices=("auto", "greedy", "beam"), help="(default: auto)")
    parser.add_argument("--by", default="voice", help="column of the manifest to group by (default: voice)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--detect-speech", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument(
        "--as-recordings", action="store_true", help="in windows, as what is longer than a clip is heard"
    )
    parser.add_argument("--save", type=Path, help="folder for manifests with what was heard beside what was said")
    parser.add_argument("--record", action="store_true", help="write the overall figures into the package's model.yaml")
    options = parser.parse_args()
    if options.record and options.as_recordings:
        parser.error("model.yaml has figures of clips alone")
    package = choose_decoding(load_package(options.package), options.decoding)
    pipeline = load(package, SessionOptions(threads=options.threads), options.precision)
    way = f"{options.precision}, {package.decoding}{', as recordings' if options.as_recordings else ''}"
    for manifest in options.manifest:
        rows = read_manifest(manifest)
        texts = transcribe(pipeline, rows, detect_speech=options.detect_speech, as_recordings=options.as_recordings)
        print(f"\n{manifest.parent.name} ({way})\n\n{report(rows, texts, options.by)}", flush=True)
        if options.record:
            record(package, manifest, options.precision, score([row["text"] for row in rows], texts))
        if options.save:
            heard = [{**row, "pred_text": text} for row, text in zip(rows, texts, strict=True)]
            write_manifest(options.save / f"{manifest.parent.name}-{options.precision}-{package.decoding}.jsonl", heard)


if __name__ == "__main__":
    command(main)
