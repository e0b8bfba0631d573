"""The pages of an OGG file, checked before a decoder sees them.

Decoders pass over damaged and missing pages in silence, and the words in them would be missing in the
text. RFC 3533 gives each page a length and a checksum; here both must be right. It gives them numbers too, in
which a gap is told, and marks the last one.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from mmap import mmap

from inference.audio.tags import bytes_from
from inference.errors import UndecodableAudio

_HEADER_BYTES = 27
_PAGES_TO_A_CHECKPOINT = 1000
_MOST_LINKS = 1000
_CHECKSUM = slice(22, 26)
_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_BEGINS_STREAM, _ENDS_STREAM = 2, 4
_PIECE = 1 << 20
_LARGEST_PAGE = 65_307  # bytes, RFC 3533
_LONGEST_PAGE_SECONDS = 31.0  # 255 packets of Opus of 0.12 s each
_FIRST_PAGES = 100  # of heads and comments, in which there may be a picture
_OPUS_RATE = 48_000  # RFC 7845: granule positions count so many samples a second, whatever the original had


@dataclass(frozen=True, slots=True)
class Link:
    """One recording of a chain."""

    start: int
    end: int
    heads: tuple[bytes, ...]
    """The first bytes of its streams."""
    warnings: tuple[str, ...] = ()


class _OpenLink:
    """A link of which more pages are to come, and what those up to now have said."""

    def __init__(self, start: int) -> None:
        self.heads: list[bytes] = []
        self._start, self._missing = start, 0
        self._numbers: dict[bytes, int] = {}
        self._heard = self._ended = False

    def take(self, head: bytes) -> None:
        """Of a page the first 27 bytes (RFC 3533)."""
        serial, (number,) = head[14:18], struct.unpack_from("<I", head, 18)
        # Who listens in to a stream is sent its heads first; then the numbers leap, and nothing is missing.
        if self._heard and serial in self._numbers:
            self._missing += max(0, number - self._numbers[serial] - 1)
        self._numbers[serial] = number
        self._heard = self._heard or _granule(head, 0) > 0
        self._ended = self._ended or bool(head[5] & _ENDS_STREAM)

    def closed(self, end: int) -> Link:
        """The link, which ends there."""
        warnings = []
        if self._missing:
            warnings.append(f"{self._missing} pages of the OGG are missing, and the sound in them.")
        if not self._ended:
            warnings.append("The recording has no last page: it may be cut off; what arrived whole was taken.")
        return Link(self._start, end, tuple(self.heads), tuple(warnings))


def check_ogg_pages(
    data: bytes | mmap, checkpoint: Callable[[], None] = lambda: None, start: int = 0, end: int | None = None
) -> list[Link]:
    """Find the links of a chain, with warnings where pages are missing or the last one is.

    Raises UndecodableAudio where a page is cut off or damaged, or what follows one is no page, no tag and no padding.
    `checkpoint` is called every so many pages: a page may be 27 bytes long, and a file holds a million of those.
    """
    end = len(data) if end is None else end
    links, current = list[Link](), _OpenLink(start)
    offset, behind, pages, heads_before = start, start, 0, True
    while offset < end:
        if not pages % _PAGES_TO_A_CHECKPOINT:
            checkpoint()
        pages += 1
        next_page = _checked_page(data, offset, end)
        is_head = bool(data[offset + 5] & _BEGINS_STREAM)
        if is_head and not heads_before:
            links.append(current.closed(behind))
            current = _OpenLink(offset)
        if is_head:
            content = offset + _HEADER_BYTES + data[offset + 26]
            current.heads.append(data[content : min(content + 16, next_page)])
        current.take(data[offset : offset + _HEADER_BYTES])
        heads_before, behind = is_head, next_page
        offset = _next_page(data, next_page, end, checkpoint)
    links.append(current.closed(behind))
    if len(links) > _MOST_LINKS:
        raise UndecodableAudio(f"OGG: a chain of {len(links)} recordings; {_MOST_LINKS} are taken")
    return links


def _next_page(data: bytes | mmap, offset: int, end: int, checkpoint: Callable[[], None]) -> int:
    """Where it begins, behind tags that stand between two files; the end, where nothing but zeros follows."""
    if offset >= end or data[offset : offset + 4] == b"OggS":
        return offset
    place = offset + bytes_from(data, offset, end)
    if data[place : place + 4] == b"OggS":
        return place
    for piece in range(place, end, _PIECE):
        checkpoint()
        if data[piece : min(piece + _PIECE, end)].strip(b"\0"):
            return offset
    return end


def _checked_page(data: bytes | mmap, offset: int, end: int) -> int:
    """Where the page ends."""
    if data[offset : offset + 4] != b"OggS":
        raise UndecodableAudio(f"OGG: no page where one must begin, at byte {offset}")
    next_page = _end_of_page(data, offset)
    if next_page > end:
        raise UndecodableAudio(f"OGG: the last page is cut off, {next_page - end} bytes or more are missing")
    if not _checksum_matches(data[offset:next_page]):
        raise UndecodableAudio(f"OGG: the page at byte {offset} is damaged")
    return next_page


def ogg_seconds(data: bytes | mmap, start: int, end: int) -> float:
    """Granule position of the last page by the first stream's rate (RFC 3533, RFC 7845, Vorbis I); 0 where unclear."""
    last = data.rfind(b"OggS", max(start, end - _LARGEST_PAGE), end)
    if last < 0 or end < last + 14 or end < start + 44:
        return 0.0
    granule = _granule(data, last)
    packet = data[start + 28 : start + 44]
    if packet.startswith(b"OpusHead"):
        rate = _OPUS_RATE
        granule -= int.from_bytes(packet[10:12], "little")  # samples that a decoder leaves out at the beginning
    elif packet.startswith(b"\x01vorbis"):
        (rate,) = struct.unpack_from("<I", packet, 12)
    else:
        return 0.0
    if not rate:
        return 0.0
    began = _first_granule(data, start, end) / rate
    # Who listens in to a stream that runs already has its time from the first page on; a file of its own begins at 0,
    # and its first page ends no later than a page lasts.
    return max(0.0, granule / rate - (began if began > _LONGEST_PAGE_SECONDS else 0.0))


def _granule(data: bytes | mmap, page: int) -> int:
    return int(struct.unpack_from("<q", data, page + 6)[0])


def _first_granule(data: bytes | mmap, start: int, end: int) -> int:
    """Of the first page that ends a packet of sound; 0 where there is none among the first."""
    page = start
    for _ in range(_FIRST_PAGES):
        if page + _HEADER_BYTES > end or data[page : page + 4] != b"OggS":
            break
        if (granule := _granule(data, page)) > 0:
            return granule
        page = _end_of_page(data, page)
    return 0


def _end_of_page(data: bytes | mmap, offset: int) -> int:
    segments_begin = offset + _HEADER_BYTES
    if segments_begin > len(data):
        return segments_begin
    segments = data[segments_begin : segments_begin + data[segments_begin - 1]]
    return segments_begin + data[segments_begin - 1] + sum(segments)


def _checksum_matches(page: bytes) -> bool:
    """OGG's CRC-32 is zlib's with the bits of each byte the other way round, no start value and no inversion."""
    blanked = page[: _CHECKSUM.start] + bytes(4) + page[_CHECKSUM.stop :]
    checksum = zlib.crc32(blanked.translate(_REVERSED_BITS), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return checksum.to_bytes(4, "big").translate(_REVERSED_BITS) == page[_CHECKSUM]
