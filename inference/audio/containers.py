"""What the bytes are, and how long they say they last: read off the beginning and the end, without decoding."""

import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from inference.audio.riff import read_wav_header
from inference.errors import UndecodableAudio, UnsupportedCodec

Encoded: TypeAlias = bytes | mmap.mmap
"""A file of audio, in memory or mapped."""

CONTAINERS_TAKEN = "WAV (PCM or float), FLAC, OGG (Vorbis or Opus)"
_TAKEN = {b"RIFF": "WAV", b"fLaC": "FLAC", b"OggS": "OGG"}
_KNOWN_BUT_NOT_TAKEN = {
    b"ID3": "MP3",
    b"\xff\xfb": "MP3",
    b"\xff\xf3": "MP3",
    b"\xff\xf2": "MP3",
    b"\xff\xf1": "AAC",
    b"\xff\xf9": "AAC",
    b"\x1aE\xdf\xa3": "WebM or Matroska",
    b"#!AMR": "AMR",
    b"FORM": "AIFF",
    b".snd": "AU",
    b"caff": "CAF",
    b"RF64": "RF64",
    b"wvpk": "WavPack",
    b"0&\xb2u": "WMA",
}
_LONGEST_MAGIC = 12
_OPUS_RATE = 48_000  # RFC 7845: granule positions count so many samples a second, whatever the original had
_LARGEST_PAGE = 65_307  # bytes, RFC 3533
_UNKNOWN_BYTES_PER_SECOND = 2_000  # 16 kbit/s, about the least at which speech is sent


@contextmanager
def opened(audio: bytes | Path) -> Iterator[Encoded]:
    """Give the bytes themselves, or map a file; raise OSError where it cannot be read."""
    if isinstance(audio, bytes):
        yield audio
        return
    with audio.open("rb") as stream:
        if not stream.seek(0, 2):
            yield b""  # nothing cannot be mapped
            return
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            yield mapped


def identify(data: Encoded) -> str:
    """Name the container by its first bytes; raise UnsupportedCodec or UndecodableAudio for any not taken."""
    head = data[:_LONGEST_MAGIC]
    for magic, name in _TAKEN.items():
        if head.startswith(magic) and (magic != b"RIFF" or head[8:12] == b"WAVE"):
            return name
    for magic, name in _KNOWN_BUT_NOT_TAKEN.items():
        if head.startswith(magic):
            raise UnsupportedCodec(f"{name} is not taken; {CONTAINERS_TAKEN} are")
    if head[4:8] == b"ftyp":
        raise UnsupportedCodec(f"MP4 or M4A is not taken; {CONTAINERS_TAKEN} are")
    raise UndecodableAudio(f"not audio: the first bytes are of no known container; {CONTAINERS_TAKEN} are taken")


def estimate_seconds(audio: bytes | Path) -> float:
    """Say how long the audio claims to last, in under a millisecond; for admission and nothing else.

    WAV is counted; FLAC and OGG are asked for their samples; what does not say is taken to come at 16 kbit/s, so that
    the guess errs towards too long. What cannot be read or decoded costs nothing.
    """
    try:
        with opened(audio) as data:
            match identify(data):
                case "WAV":
                    return read_wav_header(data).seconds
                case "FLAC":
                    announced = _flac_seconds(data)
                case _:
                    announced = _ogg_seconds(data)
            return announced or len(data) / _UNKNOWN_BYTES_PER_SECOND
    except (OSError, UndecodableAudio, UnsupportedCodec):
        return 0.0


def _flac_seconds(data: Encoded) -> float:
    """Samples by sample rate of the STREAMINFO block (RFC 9639, 8.2); 0 where it does not say."""
    if len(data) < 26:
        return 0.0
    (packed,) = struct.unpack_from(">Q", data, 18)
    rate, samples = packed >> 44, packed & (1 << 36) - 1
    return samples / rate if rate else 0.0


def _ogg_seconds(data: Encoded) -> float:
    """Granule position of the last page by the first stream's rate (RFC 3533, RFC 7845, Vorbis I); 0 where unclear."""
    last = data.rfind(b"OggS", max(0, len(data) - _LARGEST_PAGE))
    if last < 0 or len(data) < last + 14 or len(data) < 44:
        return 0.0
    (granule,) = struct.unpack_from("<q", data, last + 6)
    packet = data[28:44]
    if packet.startswith(b"OpusHead"):
        rate = _OPUS_RATE
    elif packet.startswith(b"\x01vorbis"):
        (rate,) = struct.unpack_from("<I", packet, 12)
    else:
        return 0.0
    return max(0.0, granule / rate) if rate else 0.0
