"""What crosses the boundary between a worker and its lanes: a task in, a Transcript back."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from inference.types import Features, Options

Audio: TypeAlias = bytes | Path | Features
"""An encoded file, the name of one (a spool file), which the worker opens for its lane, or features."""
Kind: TypeAlias = Literal["transcribe", "recognise"]
"""`transcribe` begins with decoding, `recognise` with features."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a lane does."""

    kind: Kind
    model: str
    """Name of the package."""
    audio: Audio
    options: Options
    deadline: float
    """`time.monotonic()` of the machine, by which an answer is wanted."""
    ids: Mapping[str, str] = field(default_factory=dict)
    """Of the request, for log lines about whoever does the task: lanes write none themselves."""

    def digest(self) -> bytes:
        """SHA-256 of the audio; milliseconds for a large file, so not for an event loop. Raises OSError."""
        match self.audio:
            case bytes():
                return hashlib.sha256(self.audio).digest()
            case Path():
                with self.audio.open("rb") as stream:
                    return hashlib.file_digest(stream, "sha256").digest()
            case Features():
                return hashlib.sha256(self.audio.log_mel.tobytes()).digest()
