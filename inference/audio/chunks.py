"""The chunks that AIFF and W64 are made of, by their own sizes, which may be wrong."""

import struct
from collections.abc import Iterator
from mmap import mmap

_MOST_CHUNKS = 1000  # real files have a handful
_AIFF_HEAD = 12  # FORM, its size, AIFF or AIFC
_W64_HEAD = 40  # the GUID of riff, its size, the GUID of wave
W64_CHUNK_HEAD = 24
"""Bytes of a GUID and a size, which counts them."""
W64_DATA = bytes.fromhex("64617461f3acd3118cd100c04f8edb8a")
"""The name of W64's chunk of samples."""


def aiff_chunks(data: bytes | mmap, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, where the content begins, its size; of the file that begins there."""
    place = start + _AIFF_HEAD
    for _ in range(_MOST_CHUNKS):
        if place + 8 > end:
            break
        name, size = struct.unpack_from(">4sI", data, place)
        yield name, place + 8, size
        place += 8 + size + size % 2


def w64_chunks(data: bytes | mmap, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The same of W64; sizes without the chunk's head, below zero where they make no sense."""
    place = start + _W64_HEAD
    for _ in range(_MOST_CHUNKS):
        if place + W64_CHUNK_HEAD > end:
            break
        (size,) = struct.unpack_from("<q", data, place + 16)
        yield data[place : place + 16], place + W64_CHUNK_HEAD, size - W64_CHUNK_HEAD
        if size < W64_CHUNK_HEAD:
            break
        place += w64_padded(size)


def w64_padded(size: int) -> int:
    """Bytes that so many take: chunks begin at multiples of eight."""
    return -(-size // 8) * 8
