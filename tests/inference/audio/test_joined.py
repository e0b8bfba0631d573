"""Several recordings in one file, behind one another or interleaved; formats that change inside."""

import contextlib
import struct
import time

import numpy as np
import pytest

from inference.audio import mpeg, source
from inference.audio.containers import identify, opened
from inference.audio.decode import decode
from inference.audio.pieces import pieces_of
from inference.errors import InputError
from inference.types import AudioLimits
from tests.inference.audio.encoders import ffmpeg, id3, with_checksum
from tests.inference.audio.kinds import SPEECH, encoders, files_of_every_kind
from tests.memory import Taken
from tests.samples import encode, noise, tone

FILES = files_of_every_kind()


def heard(data, **limits):
    return decode(data, AudioLimits(**limits), 16_000)


def hertz_at(decoded, second):
    there = decoded.waveform.samples[round(second * 16_000) - 4_000 : round(second * 16_000) + 4_000]
    return 2 * np.abs(np.fft.rfft(there * np.hanning(there.size))).argmax()


@pytest.mark.parametrize("name", FILES)
def test_two_files_joined_as_they_were_are_both_heard(name):
    alone, both = heard(FILES[name]), heard(FILES[name] * 2)
    assert both.duration == pytest.approx(2 * alone.duration, abs=0.12)
    assert both.warnings == ()
    if name not in SPEECH:
        assert (hertz_at(both, 1), hertz_at(both, alone.duration + 1)) == (440, 440)


APE = b"APETAGEX" + struct.pack("<4I", 2000, 42, 1, 1 << 31) + bytes(8)
APE = APE[:20] + b"\0\0\0\xa0" + APE[24:] + b"\1\0\0\0\0\0\0\0a\0" + APE
TAG = b"TAG" + b"A" * 30 + bytes(95)
LYRICS = b"LYRICSBEGIN" + b"IND0000200" + b"000021LYRICS200"
BETWEEN = {
    "few zeros": bytes(10),
    "zeros": bytes(1000),
    "ID3v1": TAG,
    "ID3v2": id3(300),
    "APE": APE,
    "tags and zeros": bytes(100) + APE + TAG + bytes(400) + id3(300) + bytes(100),
}


@pytest.mark.parametrize("between", BETWEEN.values(), ids=BETWEEN)
@pytest.mark.parametrize("name", [name for name in FILES if name != "WAV, piped"])
def test_padding_and_tags_between_two_files_are_stepped_over(name, between):
    alone, both = heard(FILES[name]), heard(FILES[name] + between + FILES[name])
    assert both.duration == pytest.approx(2 * alone.duration, abs=0.13)
    if not name.startswith(("MP2", "MP3", "AAC", "AC3", "MPEG-TS", "FLV", "WebM", "Matroska")):  # FFmpeg finds its way
        assert both.warnings == ()


BEHIND = {
    "zeros": bytes(4096),
    "zeros and ID3v1": bytes(1000) + TAG,
    "ID3v1 and zeros": TAG + bytes(1000),
    "APE and ID3v1": APE + TAG,
    "ID3v2": id3(1000),
    "ID3v2 with its length at the end": id3(512)[:5] + b"\x10" + id3(512)[6:] + b"3DI\4\0\x10" + id3(512)[6:10],
    "Lyrics3 and ID3v1": LYRICS + TAG,
}
BEFORE = {"tag and zeros": id3(100) + bytes(100), "APE": APE, "zeros": bytes(100_000)}


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
@pytest.mark.parametrize("name", [name for name in FILES if name != "WAV, piped"])
def test_padding_and_tags_behind_a_file_are_no_part_of_it(name, behind):
    decoded, alone = heard(FILES[name] + behind), heard(FILES[name])
    np.testing.assert_array_equal(decoded.waveform.samples, alone.waveform.samples)
    assert (decoded.duration, decoded.warnings) == (alone.duration, ())


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
@pytest.mark.parametrize("name", FILES)
def test_padding_and_tags_before_a_file_are_no_part_of_it(name, before):
    decoded, alone = heard(before + FILES[name]), heard(FILES[name])
    np.testing.assert_array_equal(decoded.waveform.samples, alone.waveform.samples)
    assert (decoded.duration, decoded.warnings) == (alone.duration, ())


@pytest.mark.parametrize("size", [0, 1, 8, 0x100, 0x10000, 0x123456])
@pytest.mark.parametrize("box", [b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"styp", b"moof"])
def test_the_zeros_that_an_mp4_begins_with_are_its_own(box, size):
    data = size.to_bytes(4, "big") + box + b"\1" * 100
    assert identify(data)[1:] == (0, len(data))
    assert identify(id3(100) + bytes(100) + data)[1] == 110 + 100


@pytest.mark.parametrize("name", ["AMR", "MP3", "M4A, AAC", "WebM, Opus", "AU", "FLV, AAC", "MPEG-TS, AAC", "TTA"])
def test_a_file_that_was_given_its_place_beforehand_ends_where_its_sound_does(name):
    decoded, alone = heard(FILES[name] + bytes(20 << 20)), heard(FILES[name])
    assert (decoded.duration, decoded.warnings) == (alone.duration, ())


@pytest.mark.parametrize(
    "behind", [bytes(1), bytes(1000), TAG + bytes(1000)], ids=["a zero", "zeros", "ID3v1 and zeros"]
)
@pytest.mark.parametrize("name", encoders())
def test_padding_behind_silence_takes_no_zero_of_it(name, behind):
    rate, encoder = encoders()[name]
    silent = encoder(np.zeros(2 * rate, np.float32))
    decoded, alone = heard(silent + behind), heard(silent)
    np.testing.assert_array_equal(decoded.waveform.samples, alone.waveform.samples)
    assert decoded.warnings == alone.warnings


@pytest.mark.parametrize("name", ["TTA", "WMA 2", "W64"])
def test_what_no_decoder_looks_at_is_told(name):
    decoded = heard(FILES[name] + b"\1something else entirely" * 5)
    assert "120 bytes behind the recording are no sound, and were left out." in decoded.warnings


@pytest.mark.parametrize("name", [name for name in FILES if name not in {"WAV, piped", "MPEG-TS, LATM"}])
def test_the_second_of_two_is_cut_off(name):
    data = FILES[name]
    with contextlib.suppress(InputError):
        assert heard(data + data[: int(len(data) * 0.6) // 188 * 188 + 95]).warnings


@pytest.mark.parametrize(("kind", "rate"), [("WAV", 44_100), ("WAV", 16_000), ("FLAC", 44_100), ("OPUS", 48_000)])
def test_joined_lengths_are_added_up_as_computers_do_and_nothing_is_missing(kind, rate):
    container, subtype = ("OGG", kind) if kind == "OPUS" else (kind, "PCM_16")
    lengths = np.random.default_rng(0).integers(3_000, 20_000, (20, 3))
    for each in lengths:
        parts = [encode(noise(2, rate)[:length], rate, container, subtype) for length in each]
        assert heard(b"".join(parts)).duration == pytest.approx(each.sum() / rate)


def test_many_joined_mp3_files_are_found_in_one_pass(monkeypatch):
    one = ffmpeg(noise(1), "mp3", "libmp3lame", bit_rate=160_000)
    asked = []

    def occurrences(pattern, data, start, end, checkpoint):
        asked.append(end - start)
        return source.occurrences(pattern, data, start, end, checkpoint)

    monkeypatch.setattr(mpeg, "occurrences", occurrences)
    assert b"Info" in one
    data = one * 900
    assert len(pieces_of(data, int)) == 900
    assert sum(asked) < 20 * len(data)  # a stretch for each, not the rest of the file


HEADS = {
    "FLV": FILES["FLV, AAC"][:13] * 2_000_000,
    "MP3": FILES["MP3"] + b"Info" * 5_000_000,
    "TTA": FILES["TTA"][:14] + b"\xff" * 22_000_000,
    "WavPack": FILES["WavPack"][:4] + bytes(28) + (b"wvpk" + bytes(28)) * 600_000,
}


@pytest.mark.parametrize("name", HEADS)
def test_millions_of_heads_are_not_searched_for_ever(name):
    limits = AudioLimits("clip", decode_seconds=0.5)
    began, taken = time.thread_time(), Taken()
    with pytest.raises(InputError):
        decode(HEADS[name], limits, 16_000)
    assert time.thread_time() - began < 1.5
    assert taken.mebibytes < 100


@pytest.mark.parametrize("kind", [("mp3", "libmp3lame"), ("adts", "aac"), ("mp4", "aac"), ("mpegts", "aac")])
def test_channels_and_rates_that_change_inside(kind):
    wide = ffmpeg(np.stack([tone(2, 48_000, 880)] * 2, axis=1), *kind, 48_000)
    decoded = heard(ffmpeg(tone(2, 44_100, 440), *kind, 44_100) + wide)
    assert decoded.duration == pytest.approx(4, abs=0.2)
    assert decoded.waveform.samples.size == pytest.approx(decoded.duration * 16_000, abs=3)
    assert (hertz_at(decoded, 1), hertz_at(decoded, 3)) == (440, 880)


def pages(data):
    return [b"OggS" + page for page in data.split(b"OggS")[1:]]


@pytest.mark.parametrize("first", ["OPUS", "VORBIS"])
def test_of_interleaved_streams_the_first_is_heard(first):
    second = {"OPUS": "VORBIS", "VORBIS": "OPUS"}[first]
    one, other = (pages(encode(tone(2, 16_000, hertz), 16_000, "OGG", kind)) for kind, hertz in
                  ((first, 440), (second, 880)))  # fmt: skip
    longest = max(len(one), len(other))
    mixed = [page for place in range(longest) for page in (*one[place : place + 1], *other[place : place + 1])]
    decoded = heard(b"".join(mixed))
    assert decoded.duration == pytest.approx(2, abs=0.05)
    assert hertz_at(decoded, 1) == 440


def test_a_stream_of_something_else_comes_first():
    skeleton = b"fishead\0\3\0" + bytes(54)
    page = b"OggS\0\x02" + struct.pack("<qIII", 0, 77, 0, 0) + bytes([1, len(skeleton)]) + skeleton
    decoded = heard(with_checksum(page) + FILES["OGG, Opus"])
    assert decoded.duration == pytest.approx(2, abs=0.05)
    assert hertz_at(decoded, 1) == 440


def test_the_frames_of_a_long_tta_are_counted_in_whole_samples():
    """Of 256/245 s exactly there would be one less, and the end of a sound file would be told to be none."""
    samples = 200 * 16_718 + 70
    one = ffmpeg(0.1 * np.sin(0.1 * np.arange(samples)), "tta", "tta")
    for times in (1, 2):
        decoded = heard(one * times, overlength="clip", limit_seconds=500)
        assert (decoded.waveform.samples.size, decoded.warnings) == (times * samples, ())


@pytest.mark.parametrize("size", [46, 8_046])
@pytest.mark.parametrize("kind", ["aiff", "w64"])
def test_where_the_outer_size_is_too_small_the_samples_own_is_believed(kind, size):
    """Silence, which would else be padding behind the file."""
    silent = np.concatenate([noise(0.1), np.zeros(8_000), noise(0.1), np.zeros(8_000)])
    whole = ffmpeg(silent, kind, {"aiff": "pcm_s16be", "w64": "pcm_s16le"}[kind])
    sized = {"aiff": whole[:4] + struct.pack(">I", size) + whole[8:],
             "w64": whole[:16] + struct.pack("<q", size + 82) + whole[24:]}[kind]  # fmt: skip
    for data, alone in ((sized, whole), (sized + bytes(1000) + sized, whole * 2)):
        decoded = heard(data)
        np.testing.assert_array_equal(decoded.waveform.samples, heard(alone).waveform.samples)
        assert decoded.warnings == ()


def test_a_long_webm_is_searched_from_its_end_in_stretches(tmp_path):
    size = 100 << 20
    path = tmp_path / "long.webm"
    with path.open("wb") as file:
        file.write(b"\x1aE\xdf\xa3\x80" + b"\x18\x53\x80\x67\x01" + b"\xff" * 7)
        file.write(b"\xec\x01" + size.to_bytes(7, "big"))  # nothing, and no cluster
        for _ in range(size >> 20):
            file.write(b"U" * (1 << 20))
        file.write(bytes(1000))
    asked = []
    with opened(path) as data:
        taken = Taken()
        pieces_of(data, lambda: asked.append(1))
        assert taken.mebibytes < 50
    assert len(asked) > size // (16 << 20)
    path.unlink()
