"""Heads that lie: where each kind of file says how long it lasts, its rate, its number of channels."""

import struct
import zlib

from tests.inference.audio.encoders import with_checksum

# Name → field → what stands before it in the file, bytes from there, layout.
_WAV = {"duration": (b"data", 4, "<I"), "rate": (b"fmt ", 12, "<I"), "channels": (b"fmt ", 10, "<H")}
_WEBM = {"duration": (b"\x44\x89\x88", 3, ">d"), "rate": (b"\xb5\x88", 2, ">d"), "channels": (b"\x9f\x81", 2, ">B")}
_MP4 = {"duration": (b"mvhd", 20, ">I"), "rate": (b"mdhd", 16, ">I"), "channels": (b"stsd", 36, ">H")}
FIELDS = {
    "WAV": _WAV,
    "WAV, 24 bits, extensible": _WAV,
    "WAV, A-law": _WAV,
    "WAV, GSM": _WAV,
    "WAV, IMA ADPCM": _WAV,
    "WAV, Microsoft ADPCM": _WAV,
    "WAV, G.722": _WAV,
    "WAV, MP3": _WAV,
    "RF64": {"duration": (b"ds64", 16, "<Q"), "rate": (b"fmt ", 12, "<I"), "channels": (b"fmt ", 10, "<H")},
    "W64": {"duration": (b"data", 16, "<q"), "rate": (b"fmt ", 28, "<I"), "channels": (b"fmt ", 26, "<H")},
    "AIFF": {"duration": (b"COMM", 10, ">I"), "rate": (b"COMM", 16, ">Q"), "channels": (b"COMM", 8, ">H")},
    "AU": {"duration": (b".snd", 8, ">I"), "rate": (b".snd", 16, ">I"), "channels": (b".snd", 20, ">I")},
    "CAF, PCM": {"duration": (b"data", 4, ">q"), "rate": (b"desc", 12, ">d"), "channels": (b"desc", 36, ">I")},
    "CAF, ALAC": {"duration": (b"pakt", 20, ">q"), "rate": (b"desc", 12, ">d"), "channels": (b"desc", 36, ">I")},
    "FLAC": {"duration": (b"fLaC", 22, ">I"), "rate": (b"fLaC", 18, ">H")},
    "OGG, Opus": {"duration": (b"", 6, "<q"), "rate": (b"OpusHead", 12, "<I"), "channels": (b"OpusHead", 9, "<B")},
    "OGG, Vorbis": {"duration": (b"", 6, "<q"), "rate": (b"\1vorbis", 12, "<I"), "channels": (b"\1vorbis", 11, "<B")},
    "OGG, Speex": {"duration": (b"", 6, "<q"), "rate": (b"Speex   ", 36, "<I"), "channels": (b"Speex   ", 48, "<I")},
    "MP3": {"duration": (b"Info", 8, ">I")},
    "M4A, AAC": _MP4,
    "MP4, fragmented": {"rate": (b"mdhd", 16, ">I"), "channels": (b"stsd", 36, ">H")},
    "MOV, PCM": _MP4 | {"rate": (b"stsd", 44, ">H")},
    "3GP, AMR": _MP4,
    "WebM, Opus": _WEBM,
    "Matroska, PCM": _WEBM,
    "WMA 2": {"duration": (b"\xa1\xdc\xab\x8c", 64, "<Q"), "rate": (b"\x61\x01\x02\0", 4, "<I"),
              "channels": (b"\x61\x01\x02\0", 2, "<H")},
    "WavPack": {"duration": (b"wvpk", 12, "<I")},
    "TTA": {"duration": (b"TTA1", 14, "<I"), "rate": (b"TTA1", 10, "<I"), "channels": (b"TTA1", 6, "<H")},
    "FLV, AAC": {"duration": (b"duration\0", 9, ">d")},
}  # fmt: skip
VALUES = {"duration": (0, 1, 1000), "rate": (0, 1, 7_999, 200_000, -1), "channels": (0, 33, -1)}
"""Of `duration` the factor, of the others the value; -1 stands for the largest that has room."""


def lies():
    """Name, field and value of each."""
    return [(name, field, value) for name, fields in FIELDS.items() for field in fields for value in VALUES[field]]


def lying(data, name, field, value):
    """The file with another value there, and a checksum that is right for it."""
    before, offset, layout = FIELDS[name][field]
    is_ogg = name.startswith("OGG")
    place = (data.index(before) if before else data.rindex(b"OggS")) + offset
    size = struct.calcsize(layout)
    if field == "duration":
        (said,) = struct.unpack_from(layout, data, place)
        value = type(said)(said * value)
    floats = layout[-1] == "d"
    most = 2.0**60 if floats else 2 ** (8 * size - (layout[-1] == "q")) - 1
    lie = float(value) if floats else min(value, most)
    packed = struct.pack(layout, most if value == -1 else lie)
    changed = data[:place] + packed + data[place + size :]
    if is_ogg:
        page = data.rindex(b"OggS", 0, place)
        following = data.find(b"OggS", place)
        end = len(data) if following < 0 else following
        changed = changed[:page] + with_checksum(changed[page:end]) + changed[end:]
    if name == "TTA":
        changed = changed[:18] + struct.pack("<I", zlib.crc32(changed[:18])) + changed[22:]
    return changed
