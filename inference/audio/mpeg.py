"""Frames without a file's head: MPEG audio (MP3), AAC in ADTS, AC-3; known by the sync bits of several in a row.

Headers as in ISO 11172-3 (2.4.2.3), ISO 13818-7 (6.2) and ATSC A/52 (5.3.1).
"""

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from mmap import mmap
from typing import Literal

from inference.audio.source import occurrences

Kind = Literal["mpeg", "adts", "ac3", ""]

_MOST_JUNK = 1 << 16  # bytes before the first frame
_MOST_TRIES = 1000
_SYNC = re.compile(rb"\xff(?=[\xe2-\xff][\x10-\xef])|\xff(?=[\xf0\xf1\xf8\xf9])|\x0b(?=\x77)")
_XING = (re.compile(rb"Xing"), re.compile(rb"Info"))  # one by one: alternatives take forty times as long
_XING_FIELDS = (4, 4, 100, 4)  # bytes of what its flags say is there: frames, bytes, places, quality
_MOST_TAG = 8 + sum(_XING_FIELDS) + 24
_FIRST_STRETCH = 1 << 16  # bytes that are searched for a header; more, the longer there is none
_SIDE_BYTES = (32, 17, 9)
_MPEG_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
# kbit/s by the index of the header, for MPEG 1 layers I to III, then MPEG 2 layers I and II with III
_KBITS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_AC3_KBITS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame by its header."""

    kind: Kind
    size: int
    """Bytes."""
    samples: int
    """Of a channel."""
    sample_rate: int
    """Hz."""
    side_bytes: int = 0
    """Between the header and where a Xing header would stand."""


def find_frames(data: bytes | mmap, start: int, end: int) -> tuple[Kind, int]:
    """Find two frames in a row at the beginning, or three behind junk; no kind where there are none."""
    frame = frame_at(data, start, end)
    if frame and (frame_at(data, start + frame.size, end, frame) or start + frame.size == end):
        return frame.kind, start
    candidates = _SYNC.finditer(data, start, min(end, start + _MOST_JUNK))
    for found in itertools.islice(candidates, _MOST_TRIES):
        if first := _first_of_three(data, found.start(), end):
            return first.kind, found.start()
    return "", start


def frame_at(data: bytes | mmap, offset: int, end: int, like: Frame | None = None) -> Frame | None:
    """Read a header, if there is one; with `like` only one of the same kind and sample rate."""
    head = data[offset : min(offset + 7, end)]
    frame = _mpeg(head) or _adts(head) or _ac3(head)
    if frame and like and (frame.kind, frame.sample_rate) != (like.kind, like.sample_rate):
        return None
    return frame


def xing_seconds(data: bytes | mmap, start: int, end: int) -> float:
    """Duration by the number of frames in a Xing or Info header, less what the encoder added; 0 where there is none."""
    frame = frame_at(data, start, end)
    if frame is None or frame.kind != "mpeg":
        return 0.0
    tag = data[start + 4 + frame.side_bytes : min(start + 4 + frame.side_bytes + _MOST_TAG, end)]
    if tag[:4] not in (b"Xing", b"Info") or len(tag) < 12 or not tag[7] & 1:
        return 0.0
    samples = int.from_bytes(tag[8:12], "big") * frame.samples - _added_samples(tag)
    return max(samples, 0) / frame.sample_rate


def _added_samples(tag: bytes) -> int:
    """Silence before and behind the sound, by LAME's part of the header, which decoders leave out."""
    place = 8 + sum(size for bit, size in enumerate(_XING_FIELDS) if tag[7] >> bit & 1)
    if tag[place : place + 4] not in (b"LAME", b"Lavf", b"Lavc") or len(tag) < place + 24:
        return 0
    both = int.from_bytes(tag[place + 21 : place + 24], "big")
    return (both >> 12) + (both & 0xFFF)


def frames_are_cut(data: bytes | mmap, start: int, end: int) -> bool:
    """Whether the last frame reaches beyond the end, as far as that can be told."""
    near = max(start, end - _MOST_JUNK)
    kind, place = find_frames(data, near, end)
    while kind and (frame := frame_at(data, place, end)) and frame.kind == kind:
        if place + frame.size > end:
            return True
        place += frame.size
    return False


def end_of_frames(data: bytes | mmap, start: int, inner: int, end: int) -> int:
    """Where the frame ends in which `inner` is, or before which; 0 where there is none."""
    kind, place = find_frames(data, max(start, inner - _MOST_JUNK), end)
    while kind and place < inner and (frame := frame_at(data, place, end)) and frame.kind == kind:
        place += frame.size
    return place if kind and place >= inner else 0


def next_xing(data: bytes | mmap, start: int, end: int, checkpoint: Callable[[], None]) -> int:
    """Where a later frame with such a header begins, the first one of a file that was joined; 0 where there is none."""
    begin, stretch = start, _FIRST_STRETCH
    while begin < end:
        stop = min(begin + stretch, end)
        if place := min(_headers(data, start, end, (begin, stop), checkpoint), default=0):
            return place
        begin, stretch = stop - 3 if stop < end else end, 2 * stretch
    return 0


def guessed_seconds(data: bytes | mmap, start: int, end: int) -> float:
    """Duration if all frames were like the first in size; 0 where there is no frame."""
    frame = frame_at(data, start, end)
    return (end - start) / frame.size * frame.samples / frame.sample_rate if frame else 0.0


def _headers(
    data: bytes | mmap, start: int, end: int, within: tuple[int, int], checkpoint: Callable[[], None]
) -> Iterator[int]:
    """Frames behind `start` with such a header, which stands within a stretch, and with a frame behind them."""
    for name in _XING:
        for number, found in enumerate(occurrences(name, data, *within, checkpoint)):
            if not number % _MOST_TRIES:
                checkpoint()
            for side in _SIDE_BYTES:
                place = found - 4 - side
                frame = frame_at(data, place, end) if place > start else None
                fits = frame and frame.kind == "mpeg" and frame.side_bytes == side
                if frame and fits and frame_at(data, place + frame.size, end):
                    yield place


def _first_of_three(data: bytes | mmap, offset: int, end: int) -> Frame | None:
    first = frame_at(data, offset, end)
    second = first and frame_at(data, offset + first.size, end, first)
    third = first and second and frame_at(data, offset + first.size + second.size, end, first)
    return first if third else None


def _mpeg(head: bytes) -> Frame | None:
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    index, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or index in (0, 15) or rate == 3:
        return None
    generation = 1 if version == 3 else 2
    bits = 1000 * _KBITS[generation, min(layer, 3 if generation == 1 else 2)][index - 1]
    sample_rate = _MPEG_RATES[version][rate]
    padding = head[2] >> 1 & 1
    mono = head[3] >> 6 == 3
    side = {(1, False): 32, (1, True): 17, (2, False): 17, (2, True): 9}[generation, mono]
    if layer == 1:
        return Frame("mpeg", (12 * bits // sample_rate + padding) * 4, 384, sample_rate, side)
    samples = 576 if layer == 3 and generation == 2 else 1152
    return Frame("mpeg", samples // 8 * bits // sample_rate + padding, samples, sample_rate, side)


def _adts(head: bytes) -> Frame | None:
    rates = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return None
    index = head[2] >> 2 & 15
    size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    if index >= len(rates) or size <= 7:
        return None
    return Frame("adts", size, 1024 * (1 + (head[6] & 3)), rates[index])


def _ac3(head: bytes) -> Frame | None:
    if len(head) < 6 or head[:2] != b"\x0b\x77":
        return None
    rate, index, identification = head[4] >> 6, head[4] & 63, head[5] >> 3
    if rate == 3 or index >= 2 * len(_AC3_KBITS) or identification > 8:
        return None
    sample_rate = (48_000, 44_100, 32_000)[rate]
    words = _AC3_KBITS[index // 2] * 1000 * 1536 // sample_rate // 16 + (index & 1 if rate == 1 else 0)
    return Frame("ac3", 2 * words, 1536, sample_rate)
