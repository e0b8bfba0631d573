"""The clips to send and the texts to expect, from a folder with `expected.json`."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Clip:
    """One WAV file."""

    data: bytes
    seconds: float
    text: str
    """What an unloaded library hears."""


def read_clips(directory: Path) -> list[Clip]:
    """Read `expected.json`, rows of file, seconds, text, and the files that it names."""
    rows = json.loads((directory / "expected.json").read_text(encoding="utf-8"))
    return [Clip((directory / row["file"]).read_bytes(), row["seconds"], row["text"]) for row in rows]
