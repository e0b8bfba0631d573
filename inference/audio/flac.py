"""How many samples a FLAC file holds (RFC 9639): by its STREAMINFO block, else by the number of its last frame."""

import re
import struct
from collections.abc import Iterator
from mmap import mmap

FLAC_BEGINS = re.compile(rb"fLaC\x00\x00\x00\x22")
"""Magic and the head of STREAMINFO: so rare elsewhere that it marks a second file behind a first."""
_STREAMINFO_END = 42
_LAST_FRAME_WITHIN = 1 << 18  # bytes from the end
_MOST_TRIES = 2000
_MOST_BLOCKS = 1000  # of metadata
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
    return next((stop for _, stop in _last_frames(data, start, end)), 0)


def proven_samples(data: bytes | mmap, start: int, end: int) -> int:
    """As above, by a frame that begins where another ends, or is alone; 0 where none is found.

    What looks like a frame may be sound, in one file of thousands; two that fit together are not. What was cut out of a
    longer file counts from that one's beginning.
    """
    if (before := _first_number(data, start, end)) is None:
        return 0
    begun: dict[int, int] = {}
    for first, stop in _last_frames(data, start, end):
        if stop in begun:
            return max(0, begun[stop] - before)
        begun.setdefault(first, stop)
    return max(0, begun.get(before, before) - before)


def _first_number(data: bytes | mmap, start: int, end: int) -> int | None:
    """Number of the first frame's first sample, behind the blocks of metadata (8.1); None where there is no frame."""
    place = start + 4
    for _ in range(_MOST_BLOCKS if end - start >= _STREAMINFO_END else 0):
        if place + 4 > end:
            break
        is_last = data[place] & 0x80
        place += 4 + int.from_bytes(data[place + 1 : place + 4], "big")
        if is_last:
            first, size = _frame_at(data, start, place, end)
            return first if size else None
    return None


def _last_frames(data: bytes | mmap, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Of what looks like a frame near the end, the last first: its first sample and the one behind it."""
    if end - start < _STREAMINFO_END:
        return
    place = end
    for _ in range(_MOST_TRIES):
        place = data.rfind(b"\xff", max(start + _STREAMINFO_END, end - _LAST_FRAME_WITHIN), place)
        if place < 0:
            return
        first, size = _frame_at(data, start, place, end)
        if size:
            yield first, first + size


def with_samples(data: bytes | mmap, start: int, samples: int) -> bytes:
    """The beginning of the file with the number of samples filled in."""
    head = data[start : start + _STREAMINFO_END]
    (packed,) = struct.unpack_from(">Q", head, 18)
    return head[:18] + struct.pack(">Q", packed >> 36 << 36 | samples) + head[26:]


def _frame_at(data: bytes | mmap, start: int, place: int, end: int) -> tuple[int, int]:
    """Number of a frame's first sample and how many it has, by its header (9.1); 0, 0 where its checksum is wrong."""
    (fixed_size,) = struct.unpack_from(">H", data, start + 10)
    head = data[place : min(place + 16, end)].ljust(16, b"\0")
    if head[0] != 0xFF or head[1] & 0xFE != 0xF8 or head[3] & 1:
        return 0, 0
    length = 8 - (head[4] ^ 0xFF).bit_length()  # of the number, coded as in UTF-8, in bytes
    if length == 1 or length > 7:
        return 0, 0
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
        return 0, 0
    return number if head[1] & 1 else number * fixed_size, size


def _checksum(data: bytes) -> int:
    """CRC-8 with the polynomial x^8 + x^2 + x + 1."""
    value = 0
    for byte in data:
        value = _CHECKSUMS[value ^ byte]
    return value


def _checksum_of_byte(value: int) -> int:
    for _ in range(8):
        value = (value << 1 ^ (0x107 if value & 0x80 else 0)) & 0x1FF
    return value & 0xFF


_CHECKSUMS = bytes(map(_checksum_of_byte, range(256)))
