"""What a decoder process writes into its pipe, and how that is read: strictly, for it handles what strangers send.

Each frame is a kind, a length and so many bytes, little-endian. A window is numbers and bare features; all else is
JSON, of which nothing is taken but what has its place.
"""

import json
import math
import struct
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from inference.audio.recording import End
from inference.audio.windows import Window
from inference.errors import (
    AudioOutOfLimits,
    AudioTooCostly,
    AudioTooLong,
    AudioTooShort,
    DecoderDied,
    InferenceError,
    InvalidSamples,
    UnavailableOption,
    UndecodableAudio,
    UnsupportedCodec,
)
from inference.types import FRAMES_A_SECOND, AudioLimits, Features, Span

HEAD = struct.Struct("<cI")
"""Kind and length of what follows."""
_WINDOW, _PROGRESS, _END, _ERROR = b"W", b"P", b"E", b"X"
_NUMBERS = struct.Struct("<iddd")  # of a window: channel, -1 for a mix; start; what is owned
_MOST_TEXT = 1 << 16
_MOST_WARNINGS = 100
_ERRORS: dict[str, type[InferenceError]] = {
    error.__name__: error
    for error in (UndecodableAudio, UnsupportedCodec, AudioOutOfLimits, AudioTooShort, AudioTooLong, AudioTooCostly,
                  InvalidSamples, UnavailableOption, DecoderDied)
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Progress:
    """A sign of life."""

    seconds: float
    """Of audio decoded up to now."""
    unguarded: tuple[str, ...] = ()
    """What the process could not be kept from."""


Message: TypeAlias = Progress | Window | End | InferenceError


def encode(message: Message) -> bytes:
    """One frame."""
    match message:
        case Window():
            channel = -1 if message.channel is None else message.channel
            numbers = _NUMBERS.pack(channel, message.start, message.owned.start, message.owned.end)
            parts = message.features.power, message.features.log_mel
            content = b"".join(np.ascontiguousarray(part, "<f4").tobytes() for part in parts)
            return HEAD.pack(_WINDOW, len(numbers) + len(content)) + numbers + content
        case Progress():
            return _text(_PROGRESS, asdict(message))
        case End():
            warnings = message.warnings[:_MOST_WARNINGS]
            return _text(_END, asdict(replace(message, warnings=warnings)))
        case _:
            kind = type(message).__name__
            return _text(_ERROR, {"kind": kind if kind in _ERRORS else "DecoderDied", "detail": message.detail[:1000]})


def announced(head: bytes, limits: AudioLimits, mel_bins: int) -> tuple[bytes, int]:
    """Kind and length of the frame behind this head; raise DecoderDied for one that cannot be."""
    kind, size = HEAD.unpack(head)
    longest = _MOST_TEXT
    if kind == _WINDOW:
        longest = _NUMBERS.size + 4 * (1 + mel_bins) * int(limits.window_seconds * FRAMES_A_SECOND)
    if kind not in (_WINDOW, _PROGRESS, _END, _ERROR) or size > longest:
        raise _nonsense()
    return kind, size


def decode(kind: bytes, content: bytes, limits: AudioLimits, mel_bins: int) -> Message:
    """Read what `encode` made; raise DecoderDied for anything else."""
    if kind == _WINDOW:
        return _window(content, limits, mel_bins)
    try:
        fields = json.loads(content)
        match kind:
            case b"P":
                return Progress(_seconds(fields["seconds"]), _sentences(fields["unguarded"]))
            case b"E":
                warnings = _sentences(fields["warnings"])
                channels = fields["channels"]
                if channels not in range(1, limits.channels + 1):
                    raise _nonsense()
                return End(_seconds(fields["duration"]), fields["clipped"] is True, warnings, channels)
            case _:
                (detail,) = _sentences([fields["detail"]])
                return _ERRORS[fields["kind"]](detail)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _nonsense() from None


def _text(kind: bytes, fields: dict[str, Any]) -> bytes:
    content = json.dumps(fields).encode()
    return HEAD.pack(kind, len(content)) + content


def _window(content: bytes, limits: AudioLimits, mel_bins: int) -> Window:
    if len(content) <= _NUMBERS.size or (len(content) - _NUMBERS.size) % (4 * (1 + mel_bins)):
        raise _nonsense()
    channel, start, owned_start, owned_end = _NUMBERS.unpack_from(content)
    values = np.frombuffer(content, "<f4", offset=_NUMBERS.size).reshape(1 + mel_bins, -1)
    in_order = 0 <= start <= owned_start <= owned_end < math.inf
    if not (-1 <= channel < limits.channels and in_order and np.isfinite(values).all()):
        raise _nonsense()
    features = Features(values[1:], values[0])
    return Window(features, None if channel < 0 else channel, start, Span(owned_start, owned_end))


def _seconds(value: object) -> float:
    if not isinstance(value, float | int) or not 0 <= value < math.inf:
        raise TypeError
    return float(value)


def _sentences(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise TypeError
    return tuple(value)


def _nonsense() -> DecoderDied:
    return DecoderDied("the decoder process wrote what it never writes")
