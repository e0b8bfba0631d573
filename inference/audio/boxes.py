"""The outer shape of MP4, WebM, WMA, CAF, W64 and FLV: how long they last by their word, and whether an end is missing.

MP4 is made of boxes (ISO 14496-12, 4.2), WebM of EBML elements (RFC 8794, RFC 9559), the others of chunks.
"""

import struct
from collections.abc import Callable, Iterator
from mmap import mmap

_MOST_BOXES = 2_000_000
_FEW_BOXES = 1000  # where the event loop waits
_BOXES_TO_A_CHECKPOINT = 1000  # a box may be eight bytes long, and a file holds millions of those
_FIRST_BYTES = 1 << 16  # where a WebM or WMA file says how long it is
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_SEGMENT, _INFO, _TIMESTAMP_SCALE, _DURATION, _CLUSTER = 0x18538067, 0x1549A966, 0x2AD7B1, 0x4489, 0x1F43B675
WEBM_CLUSTER = _CLUSTER.to_bytes(4, "big")
_MP4_NESTED = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf")
_MP4_COUNTS = {b"stsz": 8, b"stz2": 8, b"trun": 4}  # where the number of samples stands
_UNKNOWN, _CUT = -1, -2


def mp4_seconds(data: bytes | mmap, start: int, end: int) -> float:
    """Duration of the movie header; 0 where there is none, as in fragmented files."""
    moov = next((box for box in boxes(data, start, end, _FEW_BOXES) if box[0] == b"moov"), None)
    if moov is None:
        return 0.0
    header = next((box for box in boxes(data, moov[1], min(moov[2], end), _FEW_BOXES) if box[0] == b"mvhd"), None)
    if header is None or header[1] + 32 > end:
        return 0.0
    long = data[header[1]] == 1
    scale, duration = struct.unpack_from(">IQ" if long else ">II", data, header[1] + (20 if long else 12))
    unknown = duration >= (0xFFFFFFFFFFFFFFFF if long else 0xFFFFFFFF)
    return 0.0 if unknown or not scale else duration / scale


def mp4_is_cut(data: bytes | mmap, start: int, end: int, checkpoint: Callable[[], None]) -> bool:
    """Whether a box of the outermost level reaches beyond the end."""
    return any(stop > end for _, _, stop in boxes(data, start, end, _MOST_BOXES, checkpoint))


def mp4_has_index(data: bytes | mmap, start: int, end: int, checkpoint: Callable[[], None]) -> bool:
    """Whether the box is there without which nobody can tell what the bytes of sound mean."""
    return any(name == b"moov" for name, _, _ in boxes(data, start, end, _MOST_BOXES, checkpoint))


def mp4_counts_fit(data: bytes | mmap, start: int, end: int, checkpoint: Callable[[], None]) -> bool:
    """Whether no table claims more samples than the file has bytes: FFmpeg makes room for all that are claimed."""
    places, claimed = [(start, end)], 0
    for begin, stop in places:
        for name, content, after in boxes(data, begin, min(stop, end), _MOST_BOXES, checkpoint):
            if name in _MP4_NESTED:
                places.append((content, min(after, stop)))
            elif (at := _MP4_COUNTS.get(name)) is not None and content + at + 4 <= end:
                count = int.from_bytes(data[content + at : content + at + 4], "big")
                claimed += count if name == b"trun" else count // 8  # QuickTime counts samples of sound there
    return claimed <= end - start


def webm_seconds(data: bytes | mmap, start: int, end: int) -> float:
    """Duration of the segment's information; 0 where there is none, as a browser's recorder leaves it."""
    scale, duration = 1_000_000, 0.0
    for name, begin, stop in _elements(data, start, min(end, start + _FIRST_BYTES), {_SEGMENT, _INFO}, _FEW_BOXES):
        if stop > end or name == _CLUSTER:
            break
        if name == _TIMESTAMP_SCALE:
            scale = int.from_bytes(data[begin:stop][:8], "big")
        elif name == _DURATION and stop - begin in (4, 8):
            (duration,) = struct.unpack(">f" if stop - begin == 4 else ">d", data[begin:stop])
    seconds = duration * scale / 1e9
    return seconds if 0 < seconds < 1e9 else 0.0


def webm_is_cut(data: bytes | mmap, start: int, end: int, checkpoint: Callable[[], None]) -> bool:
    """Whether an element down to the blocks reaches beyond the end."""
    within = {_SEGMENT, _CLUSTER}
    return any(stop > end for _, _, stop in _elements(data, start, end, within, _MOST_BOXES, checkpoint))


def webm_places(data: bytes | mmap, start: int, end: int, checkpoint: Callable[[], None]) -> Iterator[int]:
    """Where each element ends down to the blocks, or the first within it begins."""
    within = {_SEGMENT, _CLUSTER}
    for name, begin, stop in _elements(data, start, end, within, _MOST_BOXES, checkpoint):
        yield begin if name in within else stop


def asf_properties(data: bytes | mmap, start: int, end: int) -> tuple[float, bool, int]:
    """Duration of a WMA file (0 where it does not say), whether it is cut off, its size in bytes by its own word."""
    place = data.find(_ASF_PROPERTIES, start, min(end, start + _FIRST_BYTES))
    if place < 0 or place + 88 > end:
        return 0.0, False, 0
    size, _, _, duration, _, preroll = struct.unpack_from("<6Q", data, place + 40)
    seconds = duration / 1e7 - preroll / 1e3
    return (seconds if 0 < seconds < 1e9 else 0.0), size > end - start, size


def chunks_are_cut(data: bytes | mmap, start: int, end: int, *, wave64: bool) -> bool:
    """Whether a chunk of W64 or CAF reaches beyond the end; a size below zero stands for an unknown one."""
    name, layout, offset = (16, "<q", start + 40) if wave64 else (4, ">q", start + 8)
    for _ in range(_FEW_BOXES):
        if offset + name + 8 > end:
            return False
        (size,) = struct.unpack_from(layout, data, offset + name)
        if size < 0:
            return False
        if wave64:  # the size counts its own head, and chunks begin at multiples of eight bytes
            offset += max(-(-size // 8) * 8, name + 8)
        else:
            offset += name + 8 + size
        if offset > end + 8 * wave64:
            return True
    return False


def flv_is_cut(data: bytes | mmap, start: int, end: int) -> bool:
    """Whether a file of FLV does not end, as it must, with the size of the tag before: eleven bytes and its content."""
    if end - start < 28:
        return True
    (size,) = struct.unpack_from(">I", data, end - 4)
    tag = end - 4 - size
    return not (start < tag and size == 11 + int.from_bytes(data[tag + 1 : tag + 4], "big"))


def boxes(
    data: bytes | mmap, offset: int, end: int, most: int, checkpoint: Callable[[], None] = lambda: None
) -> Iterator[tuple[bytes, int, int]]:
    """MP4's of one level: name, beginning and end of the content of each; without a name, where one is cut off."""
    for place in range(most):
        if not place % _BOXES_TO_A_CHECKPOINT:
            checkpoint()
        if offset + 8 > end:
            if offset < end:
                yield b"", end, end + 1
            return
        size, name = struct.unpack_from(">I4s", data, offset)
        head = 8
        if size == 1 and offset + 16 <= end:
            (size,) = struct.unpack_from(">Q", data, offset + 8)
            head = 16
        if size == 0:
            size = end - offset
        if size < head:
            return
        yield name, offset + head, offset + size
        offset += size


def _elements(  # noqa: PLR0913, PLR0917 - private to this page
    data: bytes | mmap,
    offset: int,
    end: int,
    within: set[int],
    most: int,
    checkpoint: Callable[[], None] = lambda: None,
) -> Iterator[tuple[int, int, int]]:
    """Name, beginning and end of the content of each; those of `within` are entered, of unknown size or not."""
    for place in range(most):
        if not place % _BOXES_TO_A_CHECKPOINT:
            checkpoint()
        if offset >= end:
            return
        name, begin = _number(data, offset, end, marked=True)
        size, begin = _number(data, begin, end, marked=False)
        if _CUT in (name, size):
            yield 0, end, end + 1
            return
        if name == _UNKNOWN or (size == _UNKNOWN and name not in within):
            return
        stop = begin if size == _UNKNOWN else begin + size
        yield name, begin, stop
        offset = begin if name in within else stop


def _number(data: bytes | mmap, offset: int, end: int, *, marked: bool) -> tuple[int, int]:
    """A number of variable length and where it ends; with its mark of length, as names have it, or without."""
    if offset >= end:
        return _CUT, end
    if not data[offset]:
        return _UNKNOWN, end
    length = 9 - data[offset].bit_length()
    if offset + length > end:
        return _CUT, end
    value = int.from_bytes(data[offset : offset + length], "big")
    if not marked:
        value &= (1 << 7 * length) - 1
        if value == (1 << 7 * length) - 1:
            value = _UNKNOWN
    return value, offset + length
