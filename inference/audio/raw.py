"""Headers for sound that comes without one, so that it goes the way of any other file."""

import struct
from collections.abc import Mapping
from mmap import mmap

RAW_ENCODINGS: Mapping[str, tuple[int, int, bool]] = {
    "U8": (1, 8, False),
    "S16LE": (1, 16, False),
    "S24LE": (1, 24, False),
    "S32LE": (1, 32, False),
    "F32LE": (3, 32, False),
    "F64LE": (3, 64, False),
    "ALAW": (6, 8, False),
    "MULAW": (7, 8, False),
    "S8": (2, 8, True),
    "S16BE": (3, 16, True),
    "S24BE": (4, 24, True),
    "S32BE": (5, 32, True),
    "F32BE": (6, 32, True),
    "F64BE": (7, 64, True),
}
"""Name as GStreamer has it → codec, bits of a sample, and whether it is AU's (big-endian) or WAV's."""
_UNKNOWN_SIZE = 0xFFFFFFFF
_AU_BYTES = {codec: bits // 8 for codec, bits, is_au in RAW_ENCODINGS.values() if is_au}


def raw_header(encoding: str, sample_rate: int, channels: int) -> bytes:
    """Return the header of a WAV or AU file of unknown length; raise ValueError for values that none has."""
    codec, bits, is_au = RAW_ENCODINGS[encoding]
    if not (0 < sample_rate < 1 << 24 and 0 < channels < 1 << 8):
        raise ValueError(f"{sample_rate} Hz, {channels} channels")
    if is_au:
        return struct.pack(">4s5I", b".snd", 24, _UNKNOWN_SIZE, codec, sample_rate, channels)
    align = channels * bits // 8
    layout = struct.pack("<IHHIIHH", 16, codec, channels, sample_rate, sample_rate * align, align, bits)
    return b"RIFF\xff\xff\xff\xffWAVEfmt " + layout + b"data" + struct.pack("<I", _UNKNOWN_SIZE)


def is_wrapped(data: bytes | mmap, start: int, end: int) -> bool:
    """Whether an AU file is of plain samples and unknown length, as `raw_header` makes one."""
    return wrapped_seconds(data, start, end) > 0


def wrapped_seconds(data: bytes | mmap, start: int, end: int) -> float:
    """Duration of such a file by its bytes; 0 for any other."""
    if end - start < 24:
        return 0.0
    offset, size, codec, rate, channels = struct.unpack_from(">5I", data, start + 4)
    if offset != 24 or size != _UNKNOWN_SIZE or codec not in _AU_BYTES or not rate or not channels:
        return 0.0
    return float(end - start - offset) / float(_AU_BYTES[codec] * channels * rate)
