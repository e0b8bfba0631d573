"""The header of a WAV file, read and checked before a decoder in C sees it.

libsndfile 1.2.2 overruns memory on some ADPCM headers (CVE-2026-37555), and both it and most other
readers take a header's sizes at their word. Only PCM and float pass, and the data must really be there.
"""

import struct
from dataclasses import dataclass
from mmap import mmap

from inference.errors import UndecodableAudio, UnsupportedCodec

_PCM, _FLOAT, _EXTENSIBLE = 0x0001, 0x0003, 0xFFFE
_CODEC_NAMES = {0x0002: "Microsoft ADPCM", 0x0006: "A-law", 0x0007: "µ-law", 0x0011: "IMA ADPCM", 0x0055: "MP3"}
_SAMPLE_BITS = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64)}
# Programs that write WAV into a pipe cannot know its size and put a very large one (ffmpeg: all ones, SoX: 2 GiB).
_SIZE_UNKNOWN = 0x7FFF_0000
_MOST_CHUNKS = 1000  # real files have a handful; millions of empty ones would be an attack on the event loop


@dataclass(frozen=True, slots=True)
class WavHeader:
    """The fields of a `fmt ` chunk, and where the samples are."""

    codec: int
    channels: int
    sample_rate: int
    block_align: int
    """Bytes of one frame: a sample of every channel."""
    bits: int
    data_bytes: int
    """Bytes of samples that are really there."""

    @property
    def seconds(self) -> float:
        """Duration by what was counted."""
        return self.data_bytes / max(self.block_align * self.sample_rate, 1)


def read_wav_header(data: bytes | mmap) -> WavHeader:
    """Find `fmt ` and `data`; raise UndecodableAudio or UnsupportedCodec where the file cannot be trusted."""
    format_chunk: bytes | None = None
    offset = 12
    for _ in range(_MOST_CHUNKS):
        if offset + 8 > len(data):
            break
        identifier, size = struct.unpack_from("<4sI", data, offset)
        offset += 8
        if identifier == b"data":
            if format_chunk is None:
                raise UndecodableAudio("WAV: the 'data' chunk stands before 'fmt '")
            return _header(format_chunk, _available(size, len(data) - offset))
        if identifier == b"fmt ":
            format_chunk = data[offset : offset + size]
        offset += size + size % 2
    raise UndecodableAudio("WAV: the header is cut off or has no 'data' chunk")


def _available(size: int, remaining: int) -> int:
    if size >= _SIZE_UNKNOWN:
        return remaining
    if size > remaining:
        raise UndecodableAudio(f"WAV: the header announces {size} bytes of samples, {remaining} arrived")
    return size


def _header(chunk: bytes, data_bytes: int) -> WavHeader:
    if len(chunk) < 16:
        raise UndecodableAudio("WAV: the 'fmt ' chunk is cut off")
    codec, channels, sample_rate, _, block_align, bits = struct.unpack_from("<HHIIHH", chunk)
    if codec == _EXTENSIBLE and len(chunk) >= 26:
        codec = struct.unpack_from("<H", chunk, 24)[0]
    if codec not in _SAMPLE_BITS:
        name = _CODEC_NAMES.get(codec, f"codec 0x{codec:04x}")
        raise UnsupportedCodec(f"WAV with {name} is not taken; PCM and float are")
    if bits not in _SAMPLE_BITS[codec] or block_align != channels * bits // 8:
        raise UndecodableAudio(f"WAV: {bits} bits in frames of {block_align} bytes for {channels} channels")
    return WavHeader(codec, channels, sample_rate, block_align, bits, data_bytes)
