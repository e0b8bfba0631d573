"""Clips of any length with the text that the library hears in them.

All are cut out of one tape, the sample clips of `tests/data` in a row, each from a place of its own, so
that their texts differ. What the library says about the same bytes, unloaded, is the text expected.
"""

import io
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from inference.pipeline import Pipeline
from inference.types import AudioLimits, Float32Array

REPOSITORY = Path(__file__).parent.parent
_SAMPLES = REPOSITORY / "tests" / "data"
_PAUSE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Clip:
    """One WAV file, 16 kHz, mono, 16 bits."""

    data: bytes
    seconds: float
    text: str
    """What an unloaded library hears."""


def make_clips(pipeline: Pipeline, lengths: Sequence[float], limit_seconds: float, seed: int = 0) -> list[Clip]:
    """Cut a clip for each length, in seconds; `limit_seconds` is the server's ASR_CLIP_SECONDS."""
    tape, rate = _tape()
    chance = random.Random(seed)  # noqa: S311 - load, not secrets
    options = AudioLimits(limit_seconds=limit_seconds)
    clips = []
    for seconds in lengths:
        start = chance.randrange(tape.size)
        indices = np.arange(start, start + round(seconds * rate)) % tape.size
        data = _wav(tape[indices], rate)
        clips.append(Clip(data, seconds, pipeline.transcribe(data, options).text))
    return clips


def write_clips(clips: Sequence[Clip], directory: Path) -> None:
    """Lay the clips and `expected.json` down for a load generator that knows nothing of the library."""
    directory.mkdir(parents=True, exist_ok=True)
    rows = []
    for index, clip in enumerate(clips):
        name = f"{index:03d}.wav"
        (directory / name).write_bytes(clip.data)
        rows.append({"file": name, "seconds": clip.seconds, "text": clip.text})
    (directory / "expected.json").write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")


def spread_lengths(shortest: float, longest: float, count: int) -> list[float]:
    """`count` lengths in seconds, evenly from the shortest to the longest."""
    return [round(float(seconds), 2) for seconds in np.linspace(shortest, longest, count)]


def _tape() -> tuple[Float32Array, int]:
    pieces: list[Float32Array] = []
    rate = 16_000
    for path in sorted(_SAMPLES.glob("*.wav"))[:16]:
        samples, found = soundfile.read(path, dtype="float32")
        if samples.ndim == 1 and found == rate:
            pieces += [samples, np.zeros(round(_PAUSE_SECONDS * rate), np.float32)]
    if not pieces:
        raise FileNotFoundError(f"{_SAMPLES} holds no 16 kHz mono WAV files to make load from")
    return np.concatenate(pieces), rate


def _wav(samples: Float32Array, rate: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
