"""Tags before and behind the sound, which any kind of file may have; found by their own lengths."""

from mmap import mmap

_MOST_TAGS = 10
_ID3V1_BYTES = 128
_APE_FOOTER_BYTES = 32


def without_tags(data: bytes | mmap) -> tuple[int, int]:
    """Say where the sound begins behind ID3v2 tags, and where it ends before ID3v1 and APEv2 tags."""
    start, end = 0, len(data)
    for _ in range(_MOST_TAGS):
        size = id3v2_bytes(data[start : start + 10])
        if not size or start + size >= end:
            break
        start += size
    for _ in range(_MOST_TAGS):
        size = bytes_behind(data, end)
        if not size or end - size <= start:
            break
        end -= size
    return start, end


def id3v2_bytes(head: bytes) -> int:
    """Length of the tag (ID3v2.4, 3.1): four groups of seven bits, the header and perhaps a footer beside."""
    if len(head) < 10 or head[:3] != b"ID3" or any(byte & 0x80 for byte in head[6:10]):
        return 0
    footer = 10 if head[5] & 0x10 else 0
    return 10 + footer + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])


def bytes_from(data: bytes | mmap, start: int) -> int:
    """Length of the ID3v1 and ID3v2 tags that begin there, as they stand between two joined files."""
    place = start
    for _ in range(_MOST_TAGS):
        is_first_version = data[place : place + 3] == b"TAG"
        size = _ID3V1_BYTES if is_first_version else id3v2_bytes(data[place : place + 10])
        if not size:
            break
        place += size
    return place - start


def bytes_behind(data: bytes | mmap, end: int) -> int:
    """Length of an ID3v1 or APEv2 tag that ends there; 0 where there is none."""
    if data[max(0, end - _ID3V1_BYTES) : end][:3] == b"TAG":
        return _ID3V1_BYTES
    footer = data[max(0, end - _APE_FOOTER_BYTES) : end]
    if footer[:8] != b"APETAGEX":
        return 0
    header = _APE_FOOTER_BYTES if int.from_bytes(footer[20:24], "little") >> 31 else 0
    return int.from_bytes(footer[12:16], "little") + header
