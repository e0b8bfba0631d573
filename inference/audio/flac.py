"""How many samples a FLAC file holds (RFC 9639): by its STREAMINFO block, else by the number of its last frame."""

import re
import struct
from mmap import mmap

FLAC_BEGINS = re.compile(rb"fLaC\x00\x00\x00\x22")
"""Magic and the head of STREAMINFO: so rare elsewhere that it marks a second file behind a first."""
_STREAMINFO_END = 42
_LAST_FRAME_WITHIN = 1 << 18  # bytes from the end
_MOST_TRIES = 2000
_BLOCK_SIZES = {1: 192, **{code: 144 << code for code in range(2, 6)}, **{code: 1 << code for code in range(8, 16)}}


def flac_samples(data: bytes | mmap, start: int, end: int) -> tuple[int, int]:
    """Samples of a channel and their rate in Hz, as announced; 0 samples where a writer could not go back."""
    if end - start < 26:
        return 0, 0
    (packed,) = struct.unpack_from(">Q", data, start + 18)
    return packed & (1 << 36) - 1, packed >> 44


def flac_channels(data: bytes | mmap, start: int, end: int) -> int:
    """Channels, as announced."""
    return (data[start + 20] >> 1 & 7) + 1 if end - start > 20 else 1


def counted_samples(data: bytes | mmap, start: int, end: int) -> int:
    """Samples by the last frame's number; 0 where none is found near the end."""
    (fixed_size,) = struct.unpack_from(">H", data, start + 10)
    place = end
    for _ in range(_MOST_TRIES):
        place = data.rfind(b"\xff", max(start + _STREAMINFO_END, end - _LAST_FRAME_WITHIN), place)
        if place < 0:
            return 0
        samples = _end_of_frame(data[place : place + 16], fixed_size)
        if samples:
            return samples
    return 0


def with_samples(data: bytes | mmap, start: int, samples: int) -> bytes:
    """The beginning of the file with the number of samples filled in."""
    head = data[start : start + _STREAMINFO_END]
    (packed,) = struct.unpack_from(">Q", head, 18)
    return head[:18] + struct.pack(">Q", packed >> 36 << 36 | samples) + head[26:]


def _end_of_frame(head: bytes, fixed_size: int) -> int:
    """Number of the sample behind a frame by its header (9.1); 0 where this is none, by its checksum."""
    if len(head) < 16 or head[1] & 0xFE != 0xF8 or head[3] & 1:
        return 0
    length = 8 - (head[4] ^ 0xFF).bit_length()  # of the number, coded as in UTF-8, in bytes
    if length == 1 or length > 7:
        return 0
    number = head[4] & (0x7F >> length)
    for byte in head[5 : 4 + max(length, 1)]:
        number = number << 6 | byte & 0x3F
    code, rate = head[2] >> 4, head[2] & 15
    place = 4 + max(length, 1)
    size = _BLOCK_SIZES.get(code, 0)
    if code in (6, 7):
        size = 1 + int.from_bytes(head[place : place + code - 5], "big")
        place += code - 5
    place += {12: 1, 13: 2, 14: 2}.get(rate, 0)
    if not size or _checksum(head[:place]) != head[place]:
        return 0
    return (number if head[1] & 1 else number * fixed_size) + size


def _checksum(data: bytes) -> int:
    """CRC-8 with the polynomial x^8 + x^2 + x + 1."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ (0x107 if value & 0x80 else 0)) & 0x1FF
    return value & 0xFF
