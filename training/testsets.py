"""Make the test sets: sentences that trained nothing, by voices kept out of training, clean, noisy and telephoned.

    python -m training.testsets SENTENCES.tsv --out training/build/testsets

Every set is a folder with a NeMo manifest; one that is there is kept.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from tqdm import tqdm

from training.acoustics.augment import band_limit, coloured_noise, mix, mu_law
from training.files import atomic_path, command, read_manifest, require_space, write_manifest
from training.parallel import add_jobs
from training.sentences import Sentence, read_sentences
from training.speech import Clip, make_clips
from training.synthesis.voices import (
    ESPEAK_TEST_VARIANTS,
    ESPEAK_VARIANTS,
    KOKORO_HINDI_VOICES,
    KOKORO_OTHER_VOICES,
    KOKORO_TEST_VOICES,
)
from training.utterance import SAMPLE_RATE, Samples, Utterance

_TRAINING_VOICES = (*KOKORO_HINDI_VOICES, *KOKORO_OTHER_VOICES[::6])
_ESPEAK = tuple(f"espeak:{variant}" for variant in ESPEAK_VARIANTS)


def _clips(sentences: list[Sentence], voices: tuple[str, ...], times: int, slow: float, fast: float) -> list[Clip]:
    """Every sentence by `times` of the voices in turn, at paces between `slow` and `fast`."""
    chance = random.Random(len(sentences))  # noqa: S311 - the same paces every time
    clips = []
    for number, sentence in enumerate(sentences):
        for turn in range(times):
            voice = voices[(number * times + turn) % len(voices)]
            utterance = Utterance(sentence.text, voice, chance.uniform(slow, fast))
            clips.append(Clip(f"{sentence.name}-{voice.replace(':', '-')}", utterance))
    return clips


def plans(sentences: list[Sentence]) -> dict[str, list[Clip]]:
    """What each clean set says, and with whom."""
    espeak = tuple(f"espeak:{variant}" for variant in ESPEAK_TEST_VARIANTS)
    return {
        "unseen": _clips(sentences, KOKORO_TEST_VOICES, 2, 0.9, 1.15),
        "espeak": _clips(sentences, espeak, 1, 0.85, 1.2),
        "festival": _clips(sentences, ("festival",), 1, 1.0, 1.0),
        "seen": _clips(sentences, _TRAINING_VOICES, 2, 0.9, 1.15),
    }


def label(manifest: Path, sentences: list[Sentence]) -> None:
    """Add each sentence's kind to the manifest, so that `training.evaluate --by kind` can tell them apart."""
    kinds = {sentence.text: sentence.kind for sentence in sentences}
    rows = read_manifest(manifest)
    for row in rows:
        row["audio_filepath"] = str(Path(row["audio_filepath"]).relative_to(manifest.parent))
        row["kind"] = kinds[row["text"]]
    write_manifest(manifest, rows)


def noisy(samples: Samples, chance: np.random.Generator) -> Samples:
    """10 dB of noise somewhere between white and brown."""
    return mix(samples, coloured_noise(len(samples), float(chance.uniform(0, 2)), chance), 10.0)


def telephoned(samples: Samples, _chance: np.random.Generator) -> Samples:
    """300 to 3400 Hz and µ-law."""
    return mu_law(band_limit(samples, 300.0, 3400.0))


def spoil(clean: Path, folder: Path, change: Any) -> None:
    """A second version of a set, every clip through `change`."""
    if (folder / "manifest.jsonl").exists():
        return
    chance = np.random.default_rng(10)
    rows = []
    for row in tqdm(read_manifest(clean), desc=folder.name, unit="clip"):
        name = Path(row["audio_filepath"]).name
        require_space(clean.parent)
        changed = change(soundfile.read(row["audio_filepath"], dtype="float32")[0], chance)
        with atomic_path(folder / "clips" / name) as temporary:
            soundfile.write(temporary, 0.7 * changed / np.abs(changed).max(), SAMPLE_RATE, subtype="PCM_16")
        rows.append({**row, "audio_filepath": f"clips/{name}"})
    write_manifest(folder / "manifest.jsonl", rows)


def main() -> None:
    """Run the step from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sentences", type=Path, help="the folder that training.sentences wrote")
    parser.add_argument("--out", type=Path, required=True)
    add_jobs(parser)
    options = parser.parse_args()
    watched = read_sentences(options.sentences / "development.tsv")
    tested = read_sentences(options.sentences / "test.tsv")
    words = read_sentences(options.sentences / "development-words.tsv")
    sets = {
        "development": _clips(watched, KOKORO_TEST_VOICES, 1, 0.9, 1.15),
        "development-words": _clips(words, _TRAINING_VOICES, 1, 0.9, 1.15),
        "development-espeak": _clips(watched + words[::4], _ESPEAK, 1, 0.85, 1.2),
        "development-festival": _clips(watched + words[::4], ("festival",), 1, 1.0, 1.0),
        **plans(tested),
    }
    for name, clips in sets.items():
        manifest = options.out / name / "manifest.jsonl"
        if not manifest.exists():
            make_clips(clips, options.out / name, options.jobs)
            label(manifest, watched + words + tested)
    for name in ("development", "unseen"):
        spoil(options.out / name / "manifest.jsonl", options.out / f"{name}-noise", noisy)
        spoil(options.out / name / "manifest.jsonl", options.out / f"{name}-telephone", telephoned)


if __name__ == "__main__":
    command(main)
