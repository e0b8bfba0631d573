"""What Kokoro's waveform generator is fed with, beside the waveform it makes: lessons for `training.synthesis.vocoder`.

    python -m training.generator_pairs PLAN.tsv --out FOLDER

A pair is one ``.npz``: ``features`` (float16 ``[512, frames]``) and ``pitch`` (float32 ``[frames]``, Hz, about 0 where
there is no voice) at 80 frames a second, ``style`` (float32 ``[128]``), and ``audio`` (int16, 16 kHz). A pair that is
there stays.
"""

from __future__ import annotations

import argparse
import os
from functools import cache
from pathlib import Path

import numpy as np

from training.files import atomic_path, command, require_space
from training.parallel import add_jobs, spread
from training.speech import Clip, read_plan
from training.synthesis.kokoro import Kokoro


@cache
def _kokoro() -> Kokoro:
    return Kokoro(Path(os.environ.get("KOKORO_DIR", "training/build/kokoro")), parts="both")


def make_pair(task: tuple[Clip, Path]) -> Path:
    """Speak one clip with the whole of Kokoro and keep what its generator was given."""
    clip, folder = task
    path = folder / f"{clip.name}.npz"
    if not path.exists():
        spoken, audio = _kokoro().both(clip.utterance)
        require_space(folder)
        with atomic_path(path) as temporary:
            np.savez(
                temporary,
                features=spoken.features.astype(np.float16),
                pitch=spoken.pitch,
                style=spoken.style,
                audio=np.round(np.clip(audio, -1, 1) * 32767).astype(np.int16),
            )
    return path


def main() -> None:
    """Run the step from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    add_jobs(parser)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    tasks = [(clip, options.out) for clip in read_plan(options.plan)]
    made = spread(make_pair, tasks, options.jobs, options.out.name)
    print(f"{options.out}: {len(made)} pairs")


if __name__ == "__main__":
    command(main)
