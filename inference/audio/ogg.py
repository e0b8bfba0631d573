"""The pages of an OGG file, checked before a decoder sees them.

Decoders pass over damaged and missing pages in silence, and the words in them would be missing in the
text. RFC 3533 gives each page a length and a checksum; here both must be right.
"""

import zlib
from collections.abc import Callable
from mmap import mmap

from inference.errors import UndecodableAudio

_HEADER_BYTES = 27
_PAGES_TO_A_CHECKPOINT = 1000
_CHECKSUM = slice(22, 26)
_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def check_ogg_pages(data: bytes | mmap, checkpoint: Callable[[], None] = lambda: None) -> None:
    """Raise UndecodableAudio where a page is cut off or damaged, or what follows one is no page.

    `checkpoint` is called every so many pages: a page may be 27 bytes long, and a file holds a million of those.
    """
    offset = pages = 0
    while offset < len(data):
        if not pages % _PAGES_TO_A_CHECKPOINT:
            checkpoint()
        pages += 1
        if data[offset : offset + 4] != b"OggS":
            raise UndecodableAudio(f"OGG: no page where one must begin, at byte {offset}")
        end = _end_of_page(data, offset)
        if end > len(data):
            raise UndecodableAudio(f"OGG: the last page is cut off, {end - len(data)} bytes or more are missing")
        if not _checksum_matches(data[offset:end]):
            raise UndecodableAudio(f"OGG: the page at byte {offset} is damaged")
        offset = end


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
