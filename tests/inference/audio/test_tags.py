"""Tags, chunks and padding: inside a file they are its own, behind it they are no sound; silence is sound."""

import struct

import numpy as np
import pytest

from inference.audio.decode import decode
from inference.audio.pieces import pieces_of
from inference.audio.tags import bytes_from
from inference.audio.unfinished import right_header
from inference.errors import AudioTooCostly
from inference.types import AudioLimits
from tests.inference.audio.encoders import ffmpeg
from tests.inference.audio.kinds import files_of_every_kind
from tests.samples import Counted, encode, noise, tone, wav

FILES = files_of_every_kind()


def heard(data, **limits):
    return decode(data, AudioLimits("clip", **limits), 16_000)


def id3_of(size, fill=b"q"):
    """ID3v2.3 with one frame of text, without a length at its end."""
    head = bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127])
    return b"ID3\3\0\0" + head + b"TXXX" + struct.pack(">I", size - 10) + b"\0\0" + fill * (size - 10)


def chunk(name, content, layout="<I"):
    return name + struct.pack(layout, len(content)) + content + bytes(len(content) % 2)


def form(data, layout="<I"):
    """With the size that a file has."""
    return data[:4] + struct.pack(layout, len(data) - 8) + data[8:]


def box(name, content):
    return struct.pack(">I", 8 + len(content)) + name + content


TAG = id3_of(246)
INFO = chunk(b"LIST", b"INFO" + chunk(b"ICMT", b"comment " * 200))
UUID = bytes(range(16))


def in_movie(data):
    """The tag in the movie's own metadata, which are the last of the file."""
    at = data.rindex(b"moov") - 4
    meta = box(b"meta", bytes(4) + box(b"hdlr", bytes(8) + b"ID32" + bytes(13)) + box(b"ID32", bytes(6) + TAG))
    return data[:at] + struct.pack(">I", len(data) - at + len(meta)) + data[at + 4 :] + meta


INSIDE = {
    "WAV": ("WAV", lambda data: form(data + INFO + chunk(b"id3 ", TAG))),
    "WAV, capitals": ("WAV", lambda data: form(data + chunk(b"ID3 ", TAG))),
    "WAV, before": ("WAV", lambda data: form(data + chunk(b"id3 ", TAG) + INFO)),
    "RF64": ("RF64", lambda data: data + INFO + chunk(b"id3 ", TAG)),
    "WAV, IMA ADPCM": ("WAV, IMA ADPCM", lambda data: form(data + INFO + chunk(b"id3 ", TAG))),
    "AIFF": ("AIFF", lambda data: form(data + chunk(b"ANNO", b"words" * 20, ">I") + chunk(b"ID3 ", TAG, ">I"), ">I")),
    "CAF": ("CAF, PCM", lambda data: data + b"uuid" + struct.pack(">q", 16 + len(TAG)) + UUID + TAG),
    "M4A, in its index": ("M4A, AAC", in_movie),
    "M4A, in a box": ("M4A, ALAC", lambda data: data + box(b"uuid", UUID + TAG)),
}


@pytest.mark.parametrize("name", INSIDE)
def test_a_tag_in_the_last_chunk_of_a_file_is_not_cut_off_as_one_behind_it(name):
    kind, tagged = INSIDE[name]
    decoded, alone = heard(tagged(FILES[kind])), heard(FILES[kind])
    np.testing.assert_array_equal(decoded.waveform.samples, alone.waveform.samples)
    assert decoded.warnings == ()


@pytest.mark.parametrize("name", ["WAV", "RF64", "WAV, IMA ADPCM"])
@pytest.mark.parametrize("size", [100_000, 300_000])
def test_a_tag_of_any_length_behind_or_between_wav_files_is_stepped_over(name, size):
    """Of a picture, say."""
    picture = id3_of(size)
    alone, behind = heard(FILES[name]), heard(FILES[name] + picture)
    np.testing.assert_array_equal(behind.waveform.samples, alone.waveform.samples)
    between = heard(FILES[name] + picture + FILES[name])
    assert between.duration == pytest.approx(2 * alone.duration, abs=0.01)
    assert (behind.warnings, between.warnings) == ((), ())


@pytest.mark.parametrize("title", [b"A", b"Om", b"Hum"])
def test_a_tag_that_looks_like_a_chunk_is_a_tag(title):
    """`TAG`, the first letter of a short title and the next as a size."""
    tag = b"TAG" + title.ljust(30, b"\0") + bytes(94) + b"\xff"
    assert heard(encode(tone(1)) + tag + encode(tone(1))).duration == 2


REST = (b"TAG" + b"x" * 125 + bytes(1 << 20)) * 9 + b"\1" * 8
HEADS = {
    "ID3v2 by its name": b"ID3x" + struct.pack("<I", 2),
    "ID3v1 by its name, ID3v2 in it": b"TAGx" + struct.pack("<I", 130) + bytes(120) + b"ID3\3\0\0\0\0",
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_tags_and_padding_behind_a_wav_are_looked_at_once_and_not_for_every_chunk(head):
    """Each chunk is also a tag that ends where all the padding begins."""
    step = len(head) + 2
    lengths = (8 + step * left for left in reversed(range(100)))
    heads = b"".join(head + bytes([length >> 7, length & 127]) for length in lengths)
    data = Counted(wav(b"\1\2" * 160) + heads + b"junk" + struct.pack("<I", len(REST)) + REST)
    Counted.read = 0
    assert len(pieces_of(data, int)) == 1
    assert Counted.read < 2 * len(REST)


def test_tags_and_padding_behind_many_chunks_are_looked_at_once():
    heads = chunk(b"note", b"ab") * 400
    data = Counted(wav(b"\1\2" * 160) + heads + REST)
    Counted.read = 0
    assert len(pieces_of(data, int)) == 1
    assert Counted.read < 3 * len(REST)


def test_joined_wav_files_may_be_given_up_at_each():
    def checkpoint():
        asked.append(1)
        if len(asked) == 5:
            raise AudioTooCostly("enough")

    asked = []
    with pytest.raises(AudioTooCostly):
        pieces_of(encode(tone(0.1)) * 10, checkpoint)


@pytest.mark.parametrize(("bits", "silent"), [(8, b"\x80"), (16, b"\0"), (24, b"\0"), (32, b"\0")])
def test_silence_that_was_written_into_a_pipe_is_heard(bits, silent):
    decoded = heard(wav(silent * (2_000 * bits), bits=bits, size=0))
    assert (decoded.duration, decoded.warnings) == (1, ())
    assert not decoded.waveform.samples.any()


def aiff_of(before):
    """Announces a part of its samples, with so many bytes before them."""
    data = ffmpeg(noise(1), "aiff", "pcm_s16be")
    at = data.index(b"SSND")
    samples = b"SSND" + struct.pack(">I", 1000) + data[at + 8 :]
    return data[:at] + chunk(b"APPL", bytes(before), ">I") + samples


def w64_of(before):
    """Announces no samples, as into a pipe, with so many bytes before them."""
    data = ffmpeg(noise(1), "w64", "pcm_s16le")
    at = data.index(bytes.fromhex("64617461f3acd3118cd100c04f8edb8a"))
    other = bytes(range(16)) + struct.pack("<q", 24 + before) + bytes(before)
    return data[:at] + other + data[at : at + 16] + struct.pack("<q", 24) + data[at + 24 :]


@pytest.mark.parametrize(("demuxer", "made"), [("aiff", aiff_of), ("w64", w64_of)])
def test_a_header_of_megabytes_is_not_copied(demuxer, made):
    """It is put right before the memory of a decoder is bounded."""
    short, long = made(1000), made(1 << 20)
    head, _ = right_header(demuxer, short, 0, len(short))
    assert 1000 < len(head) < 2000
    assert right_header(demuxer, long, 0, len(long)) == (b"", ())


@pytest.mark.parametrize("before", [0, 8, 100])
def test_lyrics_that_do_not_end_are_no_tag(before):
    assert bytes_from(b"x" * before + b"LYRICSBEGIN" + b"la" * 1000, before) == 0
