"""What the bytes are: every container that is taken, how it is known, who decodes it. One table, also for the docs."""

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn, TypeAlias

from inference.audio.mpeg import find_frames
from inference.audio.tags import MP4_BOXES, without_tags
from inference.errors import UndecodableAudio, UnsupportedCodec

Encoded: TypeAlias = bytes | mmap.mmap
"""A file of audio, in memory or mapped."""


Decoder: TypeAlias = Literal["soundfile", "PyAV"]
"""A library that reads files."""


@dataclass(frozen=True, slots=True)
class Container:
    """A kind of file."""

    name: str
    codecs: str
    """Those inside it that are taken, for users."""
    known_by: str
    """What stands in its first bytes, for users."""
    demuxer: str
    """FFmpeg's name of it; the only demuxer that such a file reaches."""
    decoder: Decoder = "PyAV"
    """soundfile where that reads it, PyAV for what it does not."""


_WAV = Container(
    "WAV",
    "PCM, float, A-law, µ-law; ADPCM, GSM, G.722, G.726, MP2, MP3, WMA by PyAV",
    "RIFF, RF64 or BW64, and WAVE",
    "wav",
    "soundfile",
)
_FLAC = Container("FLAC", "FLAC", "fLaC", "flac", "soundfile")
_OGG = Container("OGG", "Vorbis, Opus; FLAC, Speex by PyAV", "OggS", "ogg", "soundfile")
_W64 = Container("W64", "PCM, float, A-law, µ-law, ADPCM", "riff and its GUID", "w64")
_AIFF = Container("AIFF", "PCM, float, A-law, µ-law (AIFF and AIFC)", "FORM and AIFF or AIFC", "aiff")
_AU = Container("AU", "PCM, float, A-law, µ-law, G.722", ".snd", "au")
_CAF = Container("CAF", "PCM, ALAC, AAC, Opus, IMA ADPCM", "caff", "caf")
_MP3 = Container("MP3", "MP3, MP2, MP1", "two frames by their sync bits", "mp3")
_AAC = Container("AAC", "AAC (ADTS)", "two frames by their sync bits", "aac")
_AC3 = Container("AC3", "AC-3", "two frames by their sync bits", "ac3")
_MP4 = Container("MP4", "AAC, ALAC, AMR, Opus, MP3, FLAC, PCM, ADPCM (MP4, M4A, MOV, 3GP)", "ftyp, moov or mdat", "mov")
_MATROSKA = Container(
    "WebM or Matroska", "Opus, Vorbis, AAC, MP3, MP2, AC-3, FLAC, ALAC, PCM", "the EBML head", "matroska"
)
_AMR = Container("AMR", "AMR-NB, AMR-WB", "#!AMR", "amr")
_ASF = Container("WMA", "WMA 1 and 2, Pro, Voice, Lossless", "ASF's GUID", "asf")
_WAVPACK = Container("WavPack", "WavPack", "wvpk", "wv")
_TTA = Container("TTA", "True Audio", "TTA1", "tta")
_TS = Container("MPEG-TS", "AAC (ADTS, LATM), MP3, MP2, AC-3", "a sync byte every 188 bytes", "mpegts")
_FLV = Container("FLV", "AAC, MP3, Speex, Nellymoser, ADPCM", "FLV", "flv")

CONTAINERS = (_WAV, _FLAC, _OGG, _MP3, _AAC, _MP4, _MATROSKA, _AMR, _AIFF, _AU, _CAF, _W64, _ASF, _WAVPACK, _TTA, _AC3,
              _TS, _FLV)  # fmt: skip
"""All that are taken."""
TRANSPORT_PACKET = 188
"""Bytes of a packet of MPEG-TS."""
CONTAINERS_TAKEN = ", ".join(container.name for container in CONTAINERS)

_MAGIC = {
    b"fLaC": _FLAC,
    b"OggS": _OGG,
    b".snd": _AU,
    b"caff": _CAF,
    b"\x1aE\xdf\xa3": _MATROSKA,
    b"#!AMR\n": _AMR,
    b"#!AMR-WB\n": _AMR,
    b"0&\xb2u\x8e\x66\xcf\x11": _ASF,
    b"wvpk": _WAVPACK,
    b"TTA1": _TTA,
    b"FLV\x01": _FLV,
    b"riff\x2e\x91\xcf\x11": _W64,
}
# Four bytes, four of a size, four of a kind.
_FORMS = {
    (b"RIFF", b"WAVE"): _WAV,
    (b"RF64", b"WAVE"): _WAV,
    (b"BW64", b"WAVE"): _WAV,
    (b"FORM", b"AIFF"): _AIFF,
    (b"FORM", b"AIFC"): _AIFF,
}
_FRAMES = {"mpeg": _MP3, "adts": _AAC, "ac3": _AC3}
_NOT_TAKEN = {
    b"MThd": "MIDI",
    b"MAC ": "Monkey's Audio",
    b"MPCK": "Musepack",
    b"MP+": "Musepack",
    b"#!SILK": "SILK",
    b"\x02#!SILK": "SILK",
    b"DSD ": "DSD",
    b".RMF": "RealMedia",
}
_NO_SOUND = {
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x89PNG": "a PNG picture",
    b"GIF8": "a GIF picture",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive",
    b"ffconcat": "a list of files",
    b"#EXTM3U": "a playlist",
    b"\x1f\x43\xb6\x75": "a later piece of a WebM recording, without the head that its first piece has",
}


@contextmanager
def opened(audio: Encoded | Path) -> Iterator[Encoded]:
    """Give the bytes themselves, or map a file; raise OSError where it cannot be read."""
    if not isinstance(audio, Path):
        yield audio
        return
    with audio.open("rb") as stream:
        if not stream.seek(0, 2):
            yield b""  # nothing cannot be mapped
            return
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            yield mapped


def identify(data: Encoded) -> tuple[Container, int, int]:
    """Name the container, and say where it begins and ends between its tags.

    Raises UnsupportedCodec for sound that is not taken, UndecodableAudio for anything else.
    """
    start, end = without_tags(data)
    head = data[start : min(start + 16, end)]
    container = _by_magic(head)
    if container is None and _is_transport_stream(data, start, end):
        container = _TS
    if container is None and not any(head.startswith(magic) for magic in _NO_SOUND):
        kind, offset = find_frames(data, start, end)
        if kind:
            return _FRAMES[kind], offset, end
    if container is None:
        _refuse(head)
    return container, start, end


def _by_magic(head: bytes) -> Container | None:
    for magic, container in _MAGIC.items():
        if head.startswith(magic):
            return container
    form = _FORMS.get((head[:4], head[8:12]))
    return _MP4 if form is None and head[4:8] in MP4_BOXES else form


def _is_transport_stream(data: Encoded, start: int, end: int) -> bool:
    packets = (start, start + TRANSPORT_PACKET, start + 2 * TRANSPORT_PACKET)
    return end > packets[-1] and all(data[place] == 0x47 for place in packets)


def _refuse(head: bytes) -> NoReturn:
    for magic, name in _NOT_TAKEN.items():
        if head.startswith(magic):
            raise UnsupportedCodec(f"{name} is not taken; {CONTAINERS_TAKEN} are")
    for magic, name in _NO_SOUND.items():
        if head.startswith(magic):
            raise UndecodableAudio(f"no audio stream: this is {name}")
    first = head[:8].hex(" ") or "none"
    raise UndecodableAudio(
        f"not audio: the first bytes ({first}) are of no known container; {CONTAINERS_TAKEN} are taken"
    )
