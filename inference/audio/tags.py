"""Tags and padding before, between and behind the sound, which any kind of file may have.

Tags are found by their own lengths. Of zeros so many are stepped over as cost next to nothing.
"""

import re
from collections.abc import Callable
from mmap import mmap

from inference.audio.source import forget

_MOST_TAGS = 10
_MOST_ZEROS = 4 << 20  # in a row; the event loop waits
_STRETCH = 1 << 16
_ZEROS = bytes(_STRETCH)
_ID3V1_BYTES = 128
_ID3V2_HEAD_BYTES = 10
_APE_BYTES = 32
_MOST_LYRICS = 1 << 20  # Lyrics3 2.00 counts its bytes with six digits
_WITH_CHUNKS = (b"RIFF", b"RF64", b"BW64", b"FORM", b"caff", b"riff")
_ID3V2_VERSIONS = (2, 3, 4)  # of which none is a letter, as the fourth of a chunk's name is
_BEGIN_TAGS = (b"", b"\0", b"T", b"A", b"L", b"I")
MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"styp", b"moof")
"""What an MP4 may begin with, behind four bytes of a size, of which the first are zeros."""


def without_tags(data: bytes | mmap) -> tuple[int, int]:
    """Say where the sound begins behind tags and zeros, and where the last tag begins that is behind it."""
    start = bytes_from(data, 0)
    if start >= len(data):
        start = 0
    return start, before_tags(data, start, len(data))


def before_tags(data: bytes | mmap, start: int, end: int) -> int:
    """Where the first of the tags begins that end there, zeros behind each or not; the end, where no tag does.

    Files made of chunks have ID3v2 inside their last one, which such files count; there it is no tag behind them.
    """
    in_chunks = data[start : start + 4] in _WITH_CHUNKS or data[start + 4 : start + 8] in MP4_BOXES
    for _ in range(_MOST_TAGS):
        inner = before_zeros(data, start, end)
        size = _tag_behind(data, inner, end) or (0 if in_chunks else _short_id3v2_behind(data, inner, end))
        if size <= 0 or inner - size <= start:
            break
        end = inner - size
    return end


def before_zeros(data: bytes | mmap, start: int, end: int, most: int = _MOST_ZEROS) -> int:
    """Where the zeros begin that end there."""
    place, least = end, max(start, end - most)
    while place > least:
        stretch = data[max(least, place - _STRETCH) : place]
        if stretch != _ZEROS[: len(stretch)]:
            return place - len(stretch) + len(stretch.rstrip(b"\0"))
        place -= len(stretch)
        forget(data)
    return place


def behind_zeros(data: bytes | mmap, start: int, end: int, most: int = _MOST_ZEROS) -> int:
    """Where the zeros end that begin there, without those that belong to what follows."""
    place, last = start, min(end, start + most)
    while place < last:
        stretch = data[place : min(last, place + _STRETCH)]
        if stretch != _ZEROS[: len(stretch)]:
            place += len(stretch) - len(stretch.lstrip(b"\0"))
            break
        place += len(stretch)
        forget(data)
    boxes = (at for at in range(max(start, place - 4), place) if data[at + 4 : at + 8] in MP4_BOXES)
    return next(boxes, place)


def bytes_from(data: bytes | mmap, start: int, end: int | None = None, most: int = _MOST_ZEROS) -> int:
    """Length of the tags, and of at most so many zeros in a row, that begin there, before a file or between two."""
    end = len(data) if end is None else end
    place = start
    for _ in range(_MOST_TAGS):
        place = behind_zeros(data, place, end, most)
        size = _tag_bytes(data, place)
        if not size or place + size > end:
            break
        place += size
    return place - start


def is_between(data: bytes | mmap, place: int, end: int) -> bool:
    """Whether a tag begins there, or padding does: nothing but zeros in the eight bytes of any chunk's head."""
    head = data[place : min(place + 8, end)]
    return head[:1] in _BEGIN_TAGS and (not head.strip(b"\0") or _tag_bytes(data, place) > 0)


def _tag_bytes(data: bytes | mmap, place: int) -> int:
    """Length of the tag that begins there; 0 where none does."""
    head = data[place : place + _APE_BYTES]
    if head[:3] == b"TAG":
        return _ID3V1_BYTES
    if head[:8] == b"APETAGEX":  # a header, whose size does not count it
        return _APE_BYTES + int.from_bytes(head[12:16], "little")
    if head[:11] == b"LYRICSBEGIN":
        stop = data.find(b"LYRICS200", place, place + _MOST_LYRICS)
        return stop + 9 - place if stop >= 0 else 0
    return id3v2_bytes(head[:_ID3V2_HEAD_BYTES])


def id3v2_bytes(head: bytes) -> int:
    """Length of the tag (ID3v2.4, 3.1): four groups of seven bits, the header and perhaps a footer beside."""
    if len(head) < _ID3V2_HEAD_BYTES or head[:3] != b"ID3" or head[3] not in _ID3V2_VERSIONS:
        return 0
    if any(byte & 0x80 for byte in head[6:10]):
        return 0
    footer = 10 if head[5] & 0x10 else 0
    return 10 + footer + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])


def _tag_behind(data: bytes | mmap, inner: int, end: int) -> int:
    """Length before `inner`, where zeros up to `end` begin, of a tag that ends there or among them; 0 where none does.

    ID3v1, APEv2, Lyrics3 2.00, and ID3v2, where it tells its length at its end.
    """
    for footer, (length, tells) in _FOOTERS.items():
        found = footer.search(data, max(0, inner - length), inner)
        if found and inner <= (stop := found.start() + length) <= end:
            return inner - stop + tells(data[max(0, found.start() - 6) : stop])
    return 0


def _short_id3v2_behind(data: bytes | mmap, inner: int, end: int) -> int:
    """The same of ID3v2 that tells its length at its beginning only, which is looked for no further than 64 KiB."""
    place = data.rfind(b"ID3", max(0, inner - _STRETCH), inner)
    size = id3v2_bytes(data[place : place + _ID3V2_HEAD_BYTES]) if place >= 0 else 0
    return inner - place if inner <= place + size <= end else 0


def _ape_bytes(footer: bytes) -> int:
    footer = footer[-_APE_BYTES:]
    header = _APE_BYTES if int.from_bytes(footer[20:24], "little") >> 31 else 0
    return int.from_bytes(footer[12:16], "little") + header


def _lyrics_bytes(footer: bytes) -> int:
    """Six digits before the mark count what is before them."""
    return int(footer[:6]) + 15 if footer[:6].isdigit() else 0


_FOOTERS: dict[re.Pattern[bytes], tuple[int, Callable[[bytes], int]]] = {
    re.compile(b"(?<!APE)TAG"): (_ID3V1_BYTES, lambda _: _ID3V1_BYTES),
    re.compile(b"APETAGEX"): (_APE_BYTES, _ape_bytes),
    re.compile(b"LYRICS200"): (9, _lyrics_bytes),
    re.compile(b"3DI"): (_ID3V2_HEAD_BYTES, lambda footer: id3v2_bytes(b"ID3" + footer[-7:])),
}
"""What a tag ends with: how many bytes before its end, and how it tells its length."""
