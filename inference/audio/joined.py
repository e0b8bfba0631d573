"""Where one file ends and another of its kind begins, in files that somebody joined as they were.

Each kind by its own lengths, since what looks like a head may be sound. Decoders stop at the end of the first.
"""

import re
import struct
from collections.abc import Callable, Iterator
from mmap import mmap

from inference.audio.boxes import asf_properties, boxes
from inference.audio.mpeg import next_xing
from inference.audio.source import occurrences
from inference.audio.tags import bytes_behind, id3v2_bytes

Checkpoint = Callable[[], None]

_MOST_STEPS = 2_000_000
_STEPS_TO_A_CHECKPOINT = 1000
_FLV_HEAD = re.compile(rb"FLV\x01[\x01\x04\x05]\0\0\0\x09\0\0\0\0")
_MOST_FRAMES = 1_000_000  # of TTA: twelve days
_ASF_HEAD = bytes.fromhex("3026b2758e66cf11")
_W64_HEAD = bytes.fromhex("726966662e91cf11")
_WAVPACK_INITIAL = 1 << 11


def joined_files(
    demuxer: str, data: bytes | mmap, start: int, end: int, checkpoint: Checkpoint
) -> Iterator[tuple[int, int]]:
    """Where each begins and ends; one, where nothing is joined or nothing is known of its kind."""
    search = _SEARCHES.get(demuxer)
    while search is not None and (following := search(data, start, end, checkpoint)):
        yield start, following - bytes_behind(data, following)
        start = following
    yield start, end


def _mp4(data: bytes | mmap, start: int, end: int, checkpoint: Checkpoint) -> int:
    """A second `ftyp`, once there was an index."""
    complete = False
    for name, content, _ in boxes(data, start, end, _MOST_STEPS, checkpoint):
        if complete and name == b"ftyp" and content - 8 > start:
            return content - 8
        complete = complete or name == b"moov"
    return 0


def _aiff(data: bytes | mmap, start: int, end: int, _: Checkpoint) -> int:
    if end - start < 12:
        return 0
    (size,) = struct.unpack_from(">I", data, start + 4)
    return _begins(data, start + 8 + size + size % 2, end, b"FORM")


def _w64(data: bytes | mmap, start: int, end: int, _: Checkpoint) -> int:
    if end - start < 24:
        return 0
    (size,) = struct.unpack_from("<q", data, start + 16)
    return _begins(data, start + -(-size // 8) * 8, end, _W64_HEAD) if size > 0 else 0


def _asf(data: bytes | mmap, start: int, end: int, _: Checkpoint) -> int:
    return _begins(data, start + asf_properties(data, start, end)[2], end, _ASF_HEAD)


def _caf(data: bytes | mmap, start: int, end: int, checkpoint: Checkpoint) -> int:
    """Chunks follow one another behind a head of eight bytes (Apple's Core Audio Format)."""
    place = start + 8
    for step in range(_MOST_STEPS):
        if not step % _STEPS_TO_A_CHECKPOINT:
            checkpoint()
        if place + 12 > end or data[place : place + 4] == b"caff":
            break
        (size,) = struct.unpack_from(">q", data, place + 4)
        if size < 0:  # to the end, wherever that is
            return 0
        place += 12 + size
    return _begins(data, place, end, b"caff")


def _wavpack(data: bytes | mmap, start: int, end: int, checkpoint: Checkpoint) -> int:
    """Blocks follow one another; the first of a file has the number 0 and begins a set of channels."""
    place = start
    for step in range(_MOST_STEPS):
        if not step % _STEPS_TO_A_CHECKPOINT:
            checkpoint()
        place = _behind_tag(data, place)
        if place + 32 > end or data[place : place + 4] != b"wvpk":
            return 0
        size, samples_from = struct.unpack_from("<I8xI", data, place + 4)
        (flags,) = struct.unpack_from("<I", data, place + 24)
        if place > start and not samples_from and flags & _WAVPACK_INITIAL:
            return place
        place += 8 + size
    return 0


def _tta(data: bytes | mmap, start: int, end: int, _: Checkpoint) -> int:
    """Behind the head stands a table of the sizes of all frames, each of 256/245 s."""
    if end - start < 22:
        return 0
    rate, samples = struct.unpack_from("<II", data, start + 10)
    frames = -(-samples * 245 // (256 * rate)) if rate else 0
    table = start + 22
    if not 0 < frames < min((end - table) // 4, _MOST_FRAMES):
        return 0
    sizes = struct.unpack_from(f"<{frames}I", data, table)
    return _begins(data, table + 4 * frames + 4 + sum(sizes), end, b"TTA1")


def _mp3(data: bytes | mmap, start: int, end: int, checkpoint: Checkpoint) -> int:
    """A later frame that counts frames, or the tag before it."""
    start += id3v2_bytes(data[start : start + 10])
    frame = next_xing(data, start, end, checkpoint)
    tag = data.rfind(b"ID3", start, frame) if frame else -1
    return tag if tag > 0 and tag + id3v2_bytes(data[tag : tag + 10]) == frame else frame


def _au(data: bytes | mmap, start: int, end: int, _: Checkpoint) -> int:
    if end - start < 24:
        return 0
    offset, size = struct.unpack_from(">II", data, start + 4)
    return _begins(data, start + offset + size, end, b".snd")


def _amr(data: bytes | mmap, start: int, end: int, checkpoint: Checkpoint) -> int:
    """By its head, which is no frame."""
    head = b"#!AMR-WB\n" if data[start : start + 9] == b"#!AMR-WB\n" else b"#!AMR\n"
    return next(occurrences(re.compile(head), data, start + len(head), end, checkpoint), 0)


def _flv(data: bytes | mmap, start: int, end: int, checkpoint: Checkpoint) -> int:
    """By its head of thirteen bytes, of which all but one are always the same."""
    return next(occurrences(_FLV_HEAD, data, start + 13, end, checkpoint), 0)


def _begins(data: bytes | mmap, place: int, end: int, head: bytes) -> int:
    place = _behind_tag(data, place)
    return place if place + len(head) <= end and data[place : place + len(head)] == head else 0


def _behind_tag(data: bytes | mmap, place: int) -> int:
    """Past an APEv2 tag that has a head, as WavPack and TTA end with one."""
    head = data[place : place + 32]
    return place + 32 + int.from_bytes(head[12:16], "little") if head[:8] == b"APETAGEX" else place


_SEARCHES: dict[str, Callable[[bytes | mmap, int, int, Checkpoint], int]] = {
    "mov": _mp4,
    "aiff": _aiff,
    "w64": _w64,
    "asf": _asf,
    "caf": _caf,
    "wv": _wavpack,
    "tta": _tta,
    "flv": _flv,
    "mp3": _mp3,
    "au": _au,
    "amr": _amr,
}
