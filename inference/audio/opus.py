"""How long the Opus packets of an OGG file last (RFC 6716, 3.1), and whether there is a gap between them.

Who records a call in which silence is not sent (DTX) writes what arrives: the times of its pages then go on where no
packets are (RFC 7845, 4).
"""

import struct
from collections.abc import Callable, Iterator
from mmap import mmap

_RATE = 48_000
_GAP_SAMPLES = _RATE // 20
_PAGES_TO_A_CHECKPOINT = 1000
_HEADER_BYTES = 27
# Samples of a frame by the upper five bits of a packet's first byte.
_FRAME_SAMPLES = (480, 960, 1920, 2880) * 3 + (480, 960) * 2 + (120, 240, 480, 960) * 4
_HEAD_PAGES = 2


def opus_has_gaps(data: bytes | mmap, start: int, end: int, checkpoint: Callable[[], None]) -> bool:
    """Whether the times of whole pages, of one stream, go on for longer than their packets last, all together."""
    before, pending, late = None, 0, 0
    for number, (page, segments, content) in enumerate(_pages(data, start, end)):
        if not number % _PAGES_TO_A_CHECKPOINT:
            checkpoint()
        if number < _HEAD_PAGES:
            continue
        samples, pending = _samples(data, segments, content, pending)
        (granule,) = struct.unpack_from("<q", data, page + 6)
        if granule < 0:  # no packet ends here
            continue
        if before is not None:
            late += granule - before - samples
        if late > _GAP_SAMPLES:
            return True
        before = granule
    return False


def _pages(data: bytes | mmap, offset: int, end: int) -> Iterator[tuple[int, bytes, int]]:
    """Where each begins, its lengths of segments, where its content begins."""
    while offset + _HEADER_BYTES <= end:
        content = offset + _HEADER_BYTES + data[offset + 26]
        segments = data[offset + _HEADER_BYTES : content]
        yield offset, segments, content
        offset = content + sum(segments)


def _samples(data: bytes | mmap, segments: bytes, place: int, pending: int) -> tuple[int, int]:
    """Samples of the packets that end in a page; those of one that goes on in the next, as `pending` is from before."""
    total, begins = 0, not pending
    for size in segments:
        if begins:
            pending = _packet_samples(data[place : place + min(size, 2)])
        begins = size < 255
        if begins:
            total, pending = total + pending, 0
        place += size
    return total, pending


def _packet_samples(head: bytes) -> int:
    if not head:
        return 0
    frames = (1, 2, 2)[head[0] & 3] if head[0] & 3 < 3 else (head[1] & 63 if len(head) > 1 else 0)
    return frames * _FRAME_SAMPLES[head[0] >> 3]
