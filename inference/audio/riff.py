"""The header of a WAV file, read and checked before a decoder in C sees it.

libsndfile 1.2.2 overruns memory on some ADPCM headers (CVE-2026-37555): it is given PCM, float and G.711 only. Both it
and most other readers take a header's sizes at their word; real recorders write wrong ones, so that what is there is
counted here, and a decoder is handed a header that is right.
"""

import struct
from dataclasses import dataclass, field
from mmap import mmap

from inference.audio.tags import bytes_from
from inference.audio.unfinished import SIZE_UNKNOWN
from inference.errors import InputError, UndecodableAudio, UnsupportedCodec

_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 0x0001, 0x0003, 0x0006, 0x0007, 0xFFFE
_SAMPLE_BITS = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64), _ALAW: (8,), _MULAW: (8,)}
_COMPRESSED = {
    0x0002: "Microsoft ADPCM",
    0x0011: "IMA ADPCM",
    0x0031: "GSM",
    0x0045: "G.726",
    0x0050: "MP2",
    0x0055: "MP3",
    0x0064: "G.726",
    0x028F: "G.722",
    0x0160: "WMA 1",
    0x0161: "WMA 2",
}
"""What only PyAV decodes."""
_SLIP_SECONDS = 0.01  # a header's length announced too much, and the like
_PADDING = 1 << 16  # bytes behind the samples that are looked at at once,
_NEAR = 1 << 18  # zeros in a row that are stepped over before the next file, and between tags
_MOST_STRETCHES = 64  # so many times up to the end at most, since the event loop waits
_SLIP_BYTES = 44  # a header's
_LEAST_BYTES_PER_SECOND = 100  # some writers leave the field empty
_MOST_OF_RIFF = 0xFFFFFFFF - 256  # bytes of samples that sizes of 32 bits can tell
_MOST_CHUNKS = 1000  # real files have a handful; millions of empty ones would be an attack on the event loop


@dataclass(frozen=True, slots=True)
class WavHeader:
    """The fields of a `fmt ` chunk, and where the samples are."""

    codec: int
    channels: int
    sample_rate: int
    block_align: int
    """Bytes of one frame: a sample of every channel; of one block where the codec has blocks."""
    bits: int
    data_bytes: int
    """Bytes of samples that are really there."""
    seconds: float
    """Duration by what was counted; 0 where the header does not say how many bytes make a second."""
    data_offset: int = 0
    prefix: bytes = b""
    """A header that says the same of these samples, where the file's own is wrong; else empty."""
    warnings: tuple[str, ...] = field(default=())

    @property
    def compressed(self) -> bool:
        """Whether it takes PyAV."""
        return self.codec in _COMPRESSED


@dataclass(frozen=True, slots=True)
class _Samples:
    """The `data` chunk."""

    data: bytes | mmap
    offset: int
    """Where the samples begin."""
    announced: int
    """Bytes of them, as the header says."""
    end: int
    """Of the file."""

    def available(self, bytes_per_second: int) -> tuple[int, tuple[str, ...]]:
        """Bytes of samples that there are, whatever is announced; and what a user should know about that."""
        size, remaining = self.announced, self.end - self.offset
        slip = max(_SLIP_SECONDS * bytes_per_second, _SLIP_BYTES)
        if size > remaining:
            if size >= SIZE_UNKNOWN:
                return remaining, ()
            if size - remaining > slip:
                raise UndecodableAudio(f"WAV: the header announces {size} bytes of samples, {remaining} arrived")
            return remaining, (f"The header announces {size - remaining} bytes more than there are.",)
        if not size:
            # Digital silence is no padding here: into a pipe goes 0 as the size, whatever follows.
            none = _is_chunk(self.data, self.offset) and _are_chunks(self.data, self.offset, self.end)
            return 0 if none else remaining, ()
        if self._nothing_behind(slip):
            return size, ()
        return remaining, (f"The header announces {size} bytes of samples; all {remaining} were taken.",)

    def _nothing_behind(self, slip: float) -> bool:
        """Whether what follows is next to nothing, chunks, another file or padding, and not samples uncounted."""
        unpadded = self.offset + self.announced
        padded = unpadded + self.announced % 2
        if self.end - padded <= slip or any(_are_chunks(self.data, each, self.end) for each in (unpadded, padded)):
            return True
        step = max(_PADDING, (self.end - padded) // _MOST_STRETCHES)
        places = [*range(padded, self.end, step), max(padded, self.end - _PADDING)]
        stretches = (self.data[at : min(at + _PADDING, self.end)] for at in places)
        return all(stretch.count(0) == len(stretch) for stretch in stretches)


def read_wav_header(data: bytes | mmap, start: int = 0, end: int | None = None) -> WavHeader:
    """Find `fmt ` and `data`; raise UndecodableAudio or UnsupportedCodec where the file cannot be trusted."""
    end = len(data) if end is None else end
    format_chunk: bytes | None = None
    long_size: int | None = None
    odd = data[start : start + 4] != b"RIFF"
    offset = start + 12
    for _ in range(_MOST_CHUNKS):
        if offset + 8 > end:
            break
        identifier, size = struct.unpack_from("<4sI", data, offset)
        offset += 8
        if identifier == b"data":
            if format_chunk is None:
                raise UndecodableAudio("WAV: the 'data' chunk stands before 'fmt '")
            if long_size is not None and size == 0xFFFFFFFF:
                size = long_size
            return _header(format_chunk, _Samples(data, offset, size, end), odd=odd)
        if identifier == b"fmt ":
            format_chunk = data[offset : min(offset + size, offset + 64)]
        elif identifier == b"ds64" and size >= 16 and offset + 16 <= end:  # EBU Tech 3306: sizes of 64 bits
            (long_size,) = struct.unpack_from("<Q", data, offset + 8)
        unpadded = bool(size % 2 and not _is_chunk(data, offset + size + 1) and _is_chunk(data, offset + size))
        odd = odd or unpadded
        offset += size + (size % 2 and not unpadded)
    raise _no_samples(data, start, end)


def _no_samples(data: bytes | mmap, start: int, end: int) -> InputError:
    if data.find(b"wavl", start, min(start + _PADDING, end)) >= 0:
        return UnsupportedCodec("WAV with a list of pieces (wavl) is not taken")
    return UndecodableAudio("WAV: the header is cut off or has no 'data' chunk")


def _is_chunk(data: bytes | mmap, offset: int) -> bool:
    name = data[offset : offset + 4]
    return len(name) == 4 and all(32 <= byte < 127 for byte in name)


def _header(chunk: bytes, samples: _Samples, *, odd: bool) -> WavHeader:
    if len(chunk) < 16:
        raise UndecodableAudio("WAV: the 'fmt ' chunk is cut off")
    codec, channels, sample_rate, bytes_per_second, block_align, bits = struct.unpack_from("<HHIIHH", chunk)
    if codec == _EXTENSIBLE and len(chunk) >= 26:
        codec = struct.unpack_from("<H", chunk, 24)[0]
    if codec in _SAMPLE_BITS:
        container_bits = 8 * block_align // channels if channels else 0
        if not _fits(codec, bits, container_bits) or block_align * 8 != channels * container_bits:
            raise UndecodableAudio(f"WAV: {bits} bits in frames of {block_align} bytes for {channels} channels")
        if container_bits != bits:  # fewer valid bits, which stand on top
            odd, bits = True, container_bits
            chunk = chunk[:14] + struct.pack("<H", bits) + chunk[16:]
        bytes_per_second = block_align * sample_rate
    elif codec not in _COMPRESSED:
        raise UnsupportedCodec(f"WAV with codec 0x{codec:04x} is not taken")
    if bytes_per_second < _LEAST_BYTES_PER_SECOND:
        bytes_per_second = 0
    counted, warnings = samples.available(bytes_per_second)
    prefix = _right_header(chunk, counted) if odd or counted != samples.announced else b""
    seconds = counted / bytes_per_second if bytes_per_second else 0.0
    return WavHeader(
        codec, channels, sample_rate, block_align, bits, counted, seconds, samples.offset, prefix, warnings
    )


def _fits(codec: int, bits: int, container_bits: int) -> bool:
    """Whether the samples are of a size that exists; integers may leave bits of their last bytes unused."""
    used = -(-bits // 8) * 8 if codec == _PCM and bits > 8 else bits
    wider = codec == _PCM and (used, container_bits) == (24, 32)
    return (wider or container_bits == used) and container_bits in _SAMPLE_BITS[codec]


def next_wave(data: bytes | mmap, behind: int, end: int) -> int:
    """Where a further file begins, behind the samples and the chunks that follow them; the end where none does."""
    for _ in range(_MOST_CHUNKS):
        for at in (behind, behind + 1):  # of an odd number of bytes some pad, some do not
            if _is_wave(data, at):
                return at
        unpadded = behind
        behind += not _is_chunk(data, behind) and _is_chunk(data, behind + 1)
        if behind + 8 > end or _begins_tag(data, behind, end):  # looked for once: tags and padding may be long
            following = unpadded + bytes_from(data, unpadded, end)
            return following if _is_wave(data, following) else end
        if data[behind : behind + 4] == b"data":
            raise UnsupportedCodec("WAV with a second 'data' chunk is not taken")
        behind = _behind_chunk(data, behind)
    return end


def _is_wave(data: bytes | mmap, offset: int) -> bool:
    return data[offset : offset + 4] in (b"RIFF", b"RF64", b"BW64") and data[offset + 8 : offset + 12] == b"WAVE"


def _begins_tag(data: bytes | mmap, offset: int, end: int) -> bool:
    """Whether what stands there is no chunk, or looks like one and is rather a tag, as ID3v1 may."""
    is_chunk = _is_chunk(data, offset) and _behind_chunk(data, offset) <= end + 1
    return not is_chunk or data[offset : offset + 3] == b"TAG"


def _behind_chunk(data: bytes | mmap, offset: int) -> int:
    """Where it ends, with the byte that pads an odd one, where that is there."""
    (size,) = struct.unpack_from("<I", data, offset + 4)
    unpadded = int(offset + 8 + size)
    return unpadded + bool(size % 2 and not _is_chunk(data, unpadded))


def _are_chunks(data: bytes | mmap, offset: int, end: int) -> bool:
    """Whether what follows the samples is made of chunks to its end, of tags and padding, or a file of its own."""
    if _is_wave(data, offset):
        return True
    place = offset
    for _ in range(_MOST_CHUNKS):
        if end - place < 8:
            return True
        if not _is_chunk(data, place):
            break
        place = _behind_chunk(data, place)
        if place > end + 1:
            break
    following = offset + bytes_from(data, offset, end, _NEAR)
    return following >= end or _is_wave(data, following)


def _right_header(chunk: bytes, data_bytes: int) -> bytes:
    chunk += bytes(len(chunk) % 2)
    body = b"fmt " + struct.pack("<I", len(chunk)) + chunk + b"data"
    if data_bytes < _MOST_OF_RIFF:
        size = struct.pack("<I", data_bytes)
        return b"RIFF" + struct.pack("<I", 4 + len(body) + 4 + data_bytes) + b"WAVE" + body + size
    unknown = struct.pack("<I", 0xFFFFFFFF)
    long = b"ds64" + struct.pack("<IQQQI", 28, 4 + 36 + len(body) + 4 + data_bytes, data_bytes, 0, 0)
    return b"RF64" + unknown + b"WAVE" + long + body + unknown
