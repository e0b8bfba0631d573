"""Sentences → clips: in parallel, resumable, each clip whole or absent.

    python -m training.speech PLAN.tsv --out FOLDER

PLAN holds ``id, voice, speed, pitch, text`` a line. A clip that is there is not made again.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from training.files import RecipeError, atomic_path, command, require_space, write_manifest, write_text
from training.parallel import add_jobs, spread
from training.synthesis.synthesisers import synthesise
from training.utterance import SAMPLE_RATE, Utterance

PEAK = 0.7
"""Clips are stored at this peak; augmentation sets the level in training."""


@dataclass(frozen=True)
class Clip:
    """One line of a plan."""

    name: str
    utterance: Utterance


def write_plan(path: Path, clips: Iterable[Clip]) -> None:
    """Write a plan, atomically."""
    lines = (
        f"{clip.name}\t{clip.utterance.voice}\t{clip.utterance.speed:.2f}\t{clip.utterance.pitch:.2f}\t{clip.utterance.text}\n"
        for clip in clips
    )
    write_text(path, "".join(lines))


def read_plan(path: Path) -> list[Clip]:
    """Read a plan."""
    if not path.exists():
        raise RecipeError(f"{path} is missing: make the plan first (python -m training.plan)")
    clips = []
    with path.open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE), 1):
            if len(row) != 5:
                raise RecipeError(f"{path}:{number}: {len(row)} columns, 5 wanted")
            clips.append(Clip(row[0], Utterance(row[4], row[1], float(row[2]), float(row[3]))))
    return clips


def clip_path(folder: Path, name: str) -> Path:
    """Where a clip lies: a thousand or so to a folder."""
    return folder / "clips" / name[-2:] / f"{name}.wav"


def _usable(path: Path) -> bool:
    """Whether a clip from an earlier run can stay; a broken one is made again."""
    try:
        return bool(soundfile.info(path).frames)
    except (OSError, soundfile.LibsndfileError):
        return False


def make_clip(task: tuple[Clip, Path]) -> dict[str, Any]:
    """Speak one clip unless it is there; return its manifest row."""
    clip, folder = task
    path = clip_path(folder, clip.name)
    if not _usable(path):
        samples = synthesise(clip.utterance)
        require_space(folder)
        samples = PEAK * samples / max(float(np.abs(samples).max()), 1e-4)
        with atomic_path(path) as temporary:
            soundfile.write(temporary, samples, SAMPLE_RATE, subtype="PCM_16")
    return {
        "audio_filepath": str(path.relative_to(folder)),
        "duration": round(soundfile.info(path).duration, 3),
        "text": clip.utterance.text,
        "voice": clip.utterance.voice,
        "speed": clip.utterance.speed,
    }


def make_clips(clips: list[Clip], folder: Path, jobs: int) -> Path:
    """Speak every clip on `jobs` processes and write ``FOLDER/manifest.jsonl``."""
    folder.mkdir(parents=True, exist_ok=True)
    tasks = [(clip, folder) for clip in clips]
    rows = spread(make_clip, tasks, jobs, folder.name)
    manifest = folder / "manifest.jsonl"
    write_manifest(manifest, rows)
    hours = sum(row["duration"] for row in rows) / 3600
    print(f"{manifest}: {len(rows)} clips, {hours:.2f} h")
    return manifest


def main() -> None:
    """Run the step from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    add_jobs(parser)
    options = parser.parse_args()
    make_clips(read_plan(options.plan), options.out, options.jobs)


if __name__ == "__main__":
    command(main)
