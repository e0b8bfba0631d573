"""Headers of AIFF, AU and W64 by programs that write into a pipe and cannot come back to say how long it became.

WAV's are read by `riff`, which counts what is there in any case.
"""

import struct
from collections.abc import Callable
from mmap import mmap
from typing import TypeAlias

from inference.audio.chunks import W64_CHUNK_HEAD, W64_DATA, aiff_chunks, w64_chunks
from inference.audio.tags import bytes_from

Header: TypeAlias = tuple[bytes, tuple[str, ...]]
"""What takes the place of as many bytes of a file, empty where they stand there; what a user should know about that."""
SIZE_UNKNOWN = 1_000_000_000
"""Programs that write into a pipe put none, all ones (FFmpeg), 2 GiB (SoX) or a round number. A file that is truly so
large announces what is there."""
_AS_IT_IS: Header = b"", ()
_MOST_HEAD_BYTES = 1 << 16  # a header is copied, before the decoder's memory is bounded; real ones are short
_SLIP_BYTES = 44  # a header's
_IN_PACKETS = (b"ima4", b"GSM ", b"MAC3", b"MAC6")  # of many samples, which the head counts instead
_SAMPLE_BYTES = {b"alaw": 1, b"ALAW": 1, b"ulaw": 1, b"ULAW": 1, b"fl32": 4, b"FL32": 4, b"fl64": 8, b"FL64": 8}


def right_header(demuxer: str, data: bytes | mmap, start: int, end: int) -> Header:
    """With the sizes that a file has."""
    finish = _FINISHES.get(demuxer)
    return finish(data, start, end) if finish else _AS_IT_IS


def _unknown(size: int, there: int) -> bool:
    return size <= 0 or (size > there and size >= SIZE_UNKNOWN)


def _aiff(data: bytes | mmap, start: int, end: int) -> Header:
    common = 0
    for name, content, size in aiff_chunks(data, start, end):
        if content - start > _MOST_HEAD_BYTES:
            break
        if name == b"COMM" and size >= 18:
            common = content
        if name == b"SSND":
            there, unknown = end - content, _unknown(size, end - content)
            kind = data[common + 18 : common + 22] if data[start + 8 : start + 12] == b"AIFC" else b""
            more = kind not in _IN_PACKETS and _goes_on(data, content, size, end)
            if not common or there < 8 or not (more or unknown):
                break
            head = bytearray(data[start : content + 8])
            channels, _, bits = struct.unpack_from(">HIH", data, common)
            frame = channels * _SAMPLE_BYTES.get(kind, -(-bits // 8))
            struct.pack_into(">I", head, 4, min(end - start - 8, 0xFFFFFFFF))
            struct.pack_into(">I", head, common - start + 2, min((there - 8) // frame if frame else 0, 0xFFFFFFFF))
            struct.pack_into(">I", head, content - start - 4, min(there, 0xFFFFFFFF))
            return bytes(head), () if unknown else (_told(size - 8, there - 8),)
    return _AS_IT_IS


def _told(size: int, there: int) -> str:
    return f"The header announces {size} bytes of samples; all {there} were taken."


def _goes_on(data: bytes | mmap, place: int, size: int, end: int) -> bool:
    """Whether samples follow those announced: no chunk, no other file, and not only tags and padding."""
    behind = place + size
    if size <= 0 or end - behind <= _SLIP_BYTES:
        return False
    for at in (behind, behind + 1):  # some pad an odd number, some do not
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "big")
        is_chunk = all(32 <= byte < 127 for byte in name) and at + length < end
        if is_chunk or at + bytes_from(data, at, end) >= end:
            return False
    return True


def _au(data: bytes | mmap, start: int, end: int) -> Header:
    if end - start < 24:
        return _AS_IT_IS
    offset, size = struct.unpack_from(">II", data, start + 4)
    there = end - start - offset
    if _goes_on(data, start + offset, size, end):
        return b"", (_told(size, there),)  # FFmpeg reads on as it is
    if there < 0 or not _unknown(size, there):
        return _AS_IT_IS
    return data[start : start + 8] + struct.pack(">I", min(there, 0xFFFFFFFF)) + data[start + 12 : start + 24], ()


def _w64(data: bytes | mmap, start: int, end: int) -> Header:
    for name, content, size in w64_chunks(data, start, end):
        if content - start > _MOST_HEAD_BYTES:
            break
        if name == W64_DATA:
            if not _unknown(size, end - content):
                break
            head = bytearray(data[start:content])
            struct.pack_into("<q", head, 16, end - start)
            struct.pack_into("<q", head, content - start - 8, end - content + W64_CHUNK_HEAD)
            return bytes(head), ()
    return _AS_IT_IS


_FINISHES: dict[str, Callable[[bytes | mmap, int, int], Header]] = {"aiff": _aiff, "au": _au, "w64": _w64}
