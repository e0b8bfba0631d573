"""What a file is, and what would happen to it: everything but listening."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from inference.audio.containers import Encoded, identify, opened
from inference.audio.decode import decode
from inference.audio.pieces import Piece, pieces_of
from inference.audio.recording import End, read_windows
from inference.audio.speech_network import PARAMETERS
from inference.errors import InputError, LongerThanWindow
from inference.types import AudioLimits, Options

Fate: TypeAlias = Literal["clip", "recording", "refused"]
"""Heard at once, heard in windows, or not taken."""


@dataclass(frozen=True, slots=True)
class Format:
    """How samples are written; a file may change it on its way."""

    codec: str
    sample_rate: int
    """Hz."""
    channels: int


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found."""

    fate: Fate
    reason: str = ""
    """Why it is refused, or what is left out."""
    error: str = ""
    """Name of the error that refuses it."""
    container: str = ""
    """Empty where it is of no known kind."""
    formats: tuple[Format, ...] = ()
    """In the order in which they come."""
    pieces: int = 0
    """Recordings that were joined in this file."""
    announced: float | None = None
    """Seconds that the file says it lasts; None where it does not say."""
    counted: float = 0.0
    """Seconds that could be decoded."""
    tags_before: int = 0
    """Bytes before the sound that were stepped over."""
    tags_behind: int = 0
    """Bytes behind it."""
    warnings: tuple[str, ...] = ()


def probe(audio: bytes | Path, limits: AudioLimits, checkpoint: Callable[[], None] = lambda: None) -> Probe:
    """Find out; raise OSError where the file cannot be read, and nothing else.

    All of it is decoded, whatever `limits` say of how much is heard; they decide what would happen.
    """
    with opened(audio) as data:
        found = _counted(data, checkpoint)
    try:
        fate, reason, warnings = _tried(audio, limits, checkpoint)
    except InputError as error:
        return dataclasses.replace(found, fate="refused", reason=error.detail, error=type(error).__name__)
    return dataclasses.replace(found, fate=fate, reason=reason, warnings=warnings)


def _tried(
    audio: bytes | Path, limits: AudioLimits, checkpoint: Callable[[], None]
) -> tuple[Fate, str, tuple[str, ...]]:
    """What happens, by letting it happen."""
    try:
        decoded = decode(audio, limits, PARAMETERS.sample_rate, checkpoint)
    except LongerThanWindow:
        limits = dataclasses.replace(limits, detect_speech=False)  # which costs more than decoding
        (end,) = (each for each in read_windows(audio, limits, Options(), checkpoint) if isinstance(each, End))
        return "recording", "", end.warnings
    return "clip", f"the first {limits.limit_seconds:g} s are heard" if decoded.clipped else "", decoded.warnings


def _counted(data: Encoded, checkpoint: Callable[[], None]) -> Probe:
    """As much as can be told, up to where a fault is."""
    formats: dict[Format, None] = {}
    found = Probe("refused")
    announced = counted = 0.0
    try:
        container, start, end = identify(data)
        found = dataclasses.replace(found, container=container.name, tags_before=start, tags_behind=len(data) - end)
        pieces = pieces_of(data, checkpoint)
        found = dataclasses.replace(found, pieces=len(pieces))
        for piece in pieces:
            stated, seconds = _count(data, piece, formats, checkpoint)
            announced += stated
            counted += seconds
    except InputError:  # decoding says it better
        pass
    return dataclasses.replace(found, formats=tuple(formats), announced=announced or None, counted=counted)


def _count(
    data: Encoded, piece: Piece, formats: dict[Format, None], checkpoint: Callable[[], None]
) -> tuple[float, float]:
    """Seconds by the piece's word, and by its samples; faults in the middle end the count."""
    seconds = 0.0
    with piece.blocks(data, checkpoint) as blocks:
        stated = piece.stated or (blocks.announced if blocks.shortest else 0.0)  # else FFmpeg's guess by the bytes
        try:
            for block in blocks:
                checkpoint()
                seconds += len(block.samples) / block.sample_rate
                formats[Format(blocks.codec, block.sample_rate, block.samples.shape[1])] = None
        except InputError:
            pass
    return stated, seconds
