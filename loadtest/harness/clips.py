"""Clips of any length with the text that the library hears in them.

All are cut out of one tape, the sample clips of `tests/data` in a row, each from a place of its own, so
that their texts differ. What the library says about the same bytes, unloaded, is the text expected.
"""

import io
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from loadtest.harness import REPOSITORY

_SAMPLES = REPOSITORY / "tests" / "data"
_RATE = 16_000
_PAUSE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Clip:
    """One WAV file, 16 kHz, mono, 16 bits."""

    data: bytes
    seconds: float
    text: str
    """What an unloaded library hears."""


def read_tape() -> NDArray[np.int16]:
    """All sample clips in a row, `[samples]` at 16 kHz, with pauses between them."""
    pause = np.zeros(round(_PAUSE_SECONDS * _RATE), np.int16)
    sounds = [soundfile.read(path, dtype="int16")[0] for path in sorted(_SAMPLES.glob("*.wav"))]
    return np.concatenate([piece for sound in sounds for piece in (sound, pause)])


def make_clips(hear: Callable[[bytes], str], lengths: Sequence[float], seed: int = 0) -> list[Clip]:
    """Cut a clip for each length, in seconds; `hear` gives the text of a WAV file."""
    tape = read_tape()
    chance = random.Random(seed)
    clips = []
    for seconds in lengths:
        start, size = chance.randrange(tape.size), round(seconds * _RATE)
        buffer = io.BytesIO()
        soundfile.write(buffer, np.resize(np.roll(tape, -start), size), _RATE, format="WAV", subtype="PCM_16")
        clips.append(Clip(buffer.getvalue(), size / _RATE, hear(buffer.getvalue())))
    return clips


def padded(clip: Clip, size: int) -> Clip:
    """Make the file so many bytes longer, by a chunk that says nothing: a long upload that is soon heard."""
    head, rest = clip.data[:12], clip.data[12:]
    junk = b"JUNK" + size.to_bytes(4, "little") + bytes(size)
    length = (len(clip.data) - 8 + len(junk)).to_bytes(4, "little")
    return replace(clip, data=head[:4] + length + head[8:] + junk + rest)


def write_clips(clips: Sequence[Clip], directory: Path) -> list[Path]:
    """Lay the clips and `expected.json` down for programs of their own; return the WAV files."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / f"{index:03d}.wav" for index in range(len(clips))]
    rows = []
    for clip, path in zip(clips, paths, strict=True):
        path.write_bytes(clip.data)
        rows.append({"file": path.name, "seconds": clip.seconds, "text": clip.text})
    (directory / "expected.json").write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
    return paths


def read_clips(directory: Path) -> list[Clip]:
    """Read what `write_clips` has written."""
    rows = json.loads((directory / "expected.json").read_text(encoding="utf-8"))
    return [Clip((directory / row["file"]).read_bytes(), row["seconds"], row["text"]) for row in rows]
