"""Where one file ends and another of its kind begins, in files that somebody joined as they were.

Each kind by its own lengths, since what looks like a head may be sound. Decoders stop at the end of the first.
"""

import re
import struct
from collections.abc import Callable, Iterator
from mmap import mmap

from inference.audio.boxes import WEBM_CLUSTER, asf_properties, boxes, flv_is_cut, webm_places
from inference.audio.chunks import W64_DATA, aiff_chunks, w64_chunks, w64_padded
from inference.audio.containers import TRANSPORT_PACKET
from inference.audio.mpeg import end_of_frames, next_xing
from inference.audio.source import last_occurrence, occurrences
from inference.audio.tags import before_tags, before_zeros, bytes_from, id3v2_bytes, is_between

Checkpoint = Callable[[], None]

_MOST_STEPS = 2_000_000
_STEPS_TO_A_CHECKPOINT = 1000
_FLV_HEAD = re.compile(rb"FLV\x01[\x01\x04\x05]\0\0\0\x09\0\0\0\0")
_MOST_FRAMES = 1_000_000  # of TTA: twelve days
_WAVPACK_INITIAL = 1 << 11
_AMR_BYTES = {
    6: (12, 13, 15, 17, 19, 20, 26, 31, 5, *[0] * 7),
    9: (17, 23, 32, 36, 40, 46, 50, 58, 60, 5, *[0] * 6),
}
"""Of frames behind their first byte, which tells their kind; by the length of the head (RFC 4867, 5.3)."""


def joined_files(
    demuxer: str, data: bytes | mmap, start: int, end: int, checkpoint: Checkpoint
) -> Iterator[tuple[int, int, int]]:
    """Where each begins and ends, without tags and padding behind it; and how many bytes no decoder looks at.

    One, where nothing is joined or nothing is known of its kind.
    """
    search, offset, head = _SEARCHES.get(demuxer, (_nothing, 0, b""))
    while (behind := min(search(data, start, end, checkpoint), end)) > start:
        following = behind + bytes_from(data, behind, end, end - behind)
        if following >= end:
            yield start, behind, 0
            return
        if data[following + offset : min(following + offset + len(head), end)] != head:
            yield start, end, end - following if demuxer in _STOP_AT_THEIR_END else 0
            return
        stop = before_tags(data, start, behind)
        if before_zeros(data, start, stop) < stop:
            stop = min(search(data, start, stop, checkpoint), stop) or stop
        yield start, stop, 0
        start = following
    yield start, end, 0


def _nothing(*_: object) -> int:
    return 0


def _mp4(data: bytes | mmap, start: int, end: int, checkpoint: Checkpoint) -> int:
    """At a second `ftyp`, or at a tag or padding, once there was an index."""
    complete, place = False, start
    for name, _, stop in boxes(data, start, end, _MOST_STEPS, checkpoint):
        if complete and (name == b"ftyp" or is_between(data, place, end)):
            return place
        complete, place = complete or name == b"moov", stop
    return place if complete else 0


def _matroska(data: bytes | mmap, start: int, end: int, checkpoint: Checkpoint) -> int:
    """Before the padding, behind a whole element of those that follow the last cluster's beginning."""
    inner = before_zeros(data, start, end, end - start)
    if inner == end:
        return 0
    cluster = last_occurrence(WEBM_CLUSTER, data, start, inner, checkpoint)
    places = webm_places(data, max(start, cluster), end, checkpoint)
    return next((place for place in places if place >= inner), 0)


def _aiff(data: bytes | mmap, start: int, end: int, _: Checkpoint) -> int:
    """Behind its form or its samples: some programs fill in one of the two sizes only."""
    if end - start < 12:
        return 0
    (size,) = struct.unpack_from(">I", data, start + 4)
    if not size:
        return 0
    samples = (at + its + its % 2 for name, at, its in aiff_chunks(data, start, end) if name == b"SSND")
    return max(int(start + 8 + size + size % 2), next(samples, 0))


def _w64(data: bytes | mmap, start: int, end: int, _: Checkpoint) -> int:
    """As of AIFF."""
    if end - start < 24:
        return 0
    (size,) = struct.unpack_from("<q", data, start + 16)
    if size <= 0:
        return 0
    samples = (at + w64_padded(its) for name, at, its in w64_chunks(data, start, end) if name == W64_DATA)
    return max(start + w64_padded(size), next(samples, 0))


def _asf(data: bytes | mmap, start: int, end: int, _: Checkpoint) -> int:
    size = asf_properties(data, start, end)[2]
    return start + size if size else 0


def _caf(data: bytes | mmap, start: int, end: int, checkpoint: Checkpoint) -> int:
    """Chunks follow one another behind a head of eight bytes (Apple's Core Audio Format)."""
    place = start + 8
    for step in range(_MOST_STEPS):
        if not step % _STEPS_TO_A_CHECKPOINT:
            checkpoint()
        if place + 12 > end or data[place : place + 4] == b"caff" or is_between(data, place, end):
            break
        (size,) = struct.unpack_from(">q", data, place + 4)
        if size < 0:  # to the end, wherever that is
            return 0
        place += 12 + size
    return place


def _wavpack(data: bytes | mmap, start: int, end: int, checkpoint: Checkpoint) -> int:
    """Blocks follow one another; the first of a file has the number 0 and begins a set of channels."""
    place = start
    for step in range(_MOST_STEPS):
        if not step % _STEPS_TO_A_CHECKPOINT:
            checkpoint()
        if place + 32 > end or data[place : place + 4] != b"wvpk":
            return place if place > start else 0
        size, samples_from = struct.unpack_from("<I8xI", data, place + 4)
        (flags,) = struct.unpack_from("<I", data, place + 24)
        if place > start and not samples_from and flags & _WAVPACK_INITIAL:
            return place
        place += 8 + size
    return 0


def _tta(data: bytes | mmap, start: int, end: int, _: Checkpoint) -> int:
    """Behind the head stands a table of the sizes of all frames, each of 256/245 s in whole samples."""
    if end - start < 22:
        return 0
    rate, samples = struct.unpack_from("<II", data, start + 10)
    frame = rate * 256 // 245
    frames = -(-samples // frame) if frame else 0
    table = start + 22
    if not 0 < frames < min((end - table) // 4, _MOST_FRAMES):
        return 0
    sizes = struct.unpack_from(f"<{frames}I", data, table)
    return int(table + 4 * frames + 4 + sum(sizes))


def _mp3(data: bytes | mmap, start: int, end: int, checkpoint: Checkpoint) -> int:
    """At a later frame that counts frames, or the tag before it."""
    frame = next_xing(data, start, end, checkpoint)
    tag = last_occurrence(b"ID3", data, start, frame, checkpoint) if frame else -1
    if tag > 0 and tag + id3v2_bytes(data[tag : tag + 10]) == frame:
        return tag
    return frame or _frames(data, start, end, checkpoint)


def _frames(data: bytes | mmap, start: int, end: int, _: Checkpoint) -> int:
    """Before the padding; the last frame may end in zeros as well."""
    inner = before_zeros(data, start, end, end - start)
    return end_of_frames(data, start, inner, end) if inner < end else 0


def _au(data: bytes | mmap, start: int, end: int, _: Checkpoint) -> int:
    if end - start < 24:
        return 0
    offset, size = struct.unpack_from(">II", data, start + 4)
    return int(start + offset + size) if size else 0


def _amr(data: bytes | mmap, start: int, end: int, checkpoint: Checkpoint) -> int:
    """At a second head, which is no frame, or before the padding."""
    head = b"#!AMR-WB\n" if data[start : start + 9] == b"#!AMR-WB\n" else b"#!AMR\n"
    following = next(occurrences(re.compile(head), data, start + len(head), end, checkpoint), 0)
    if following or (inner := before_zeros(data, start, end, end - start)) == end:
        return following
    sizes, place = _AMR_BYTES[len(head)], start + len(head)
    for step in range(_MOST_STEPS):
        if not step % _STEPS_TO_A_CHECKPOINT:
            checkpoint()
        if place >= inner:
            return place
        place += 1 + sizes[data[place] >> 3 & 15]
    return 0


def _flv(data: bytes | mmap, start: int, end: int, checkpoint: Checkpoint) -> int:
    """At a second head of thirteen bytes, of which all but one are always the same, or before the padding."""
    following = next(occurrences(_FLV_HEAD, data, start + 13, end, checkpoint), 0)
    if following or (inner := before_zeros(data, start, end, end - start)) == end:
        return following
    return next((stop for stop in range(inner, min(inner + 4, end)) if not flv_is_cut(data, start, stop)), 0)


def _transport_stream(data: bytes | mmap, start: int, end: int, _: Checkpoint) -> int:
    """Before the padding, behind a whole packet."""
    inner = before_zeros(data, start, end, end - start)
    return start - (start - inner) // TRANSPORT_PACKET * TRANSPORT_PACKET if inner < end else 0


_SEARCHES: dict[str, tuple[Callable[[bytes | mmap, int, int, Checkpoint], int], int, bytes]] = {
    "mov": (_mp4, 4, b"ftyp"),
    "matroska": (_matroska, 0, b"\x1aE\xdf\xa3"),
    "aiff": (_aiff, 0, b"FORM"),
    "w64": (_w64, 0, bytes.fromhex("726966662e91cf11")),
    "asf": (_asf, 0, bytes.fromhex("3026b2758e66cf11")),
    "caf": (_caf, 0, b"caff"),
    "wv": (_wavpack, 0, b"wvpk"),
    "tta": (_tta, 0, b"TTA1"),
    "flv": (_flv, 0, b"FLV"),
    "mp3": (_mp3, 0, b"\xff"),
    "aac": (_frames, 0, b"\xff"),
    "ac3": (_frames, 0, b"\x0b"),
    "mpegts": (_transport_stream, 0, b"G"),
    "au": (_au, 0, b".snd"),
    "amr": (_amr, 0, b"#!AMR"),
}
"""Where a file ends, by its own word or since another or padding begins there, 0 where that is not known; where in
another its mark stands, and which."""
_STOP_AT_THEIR_END = ("mov", "w64", "asf", "caf", "tta")
"""Kinds of which no decoder looks at what follows."""
