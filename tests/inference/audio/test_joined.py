"""Several recordings in one file, behind one another or interleaved; formats that change inside."""

import contextlib
import struct
import time

import numpy as np
import pytest

from inference.audio import mpeg, source
from inference.audio.decode import decode
from inference.audio.pieces import pieces_of
from inference.errors import InputError
from inference.types import AudioLimits
from tests.inference.audio.encoders import ffmpeg, with_checksum
from tests.inference.audio.kinds import SPEECH, files_of_every_kind
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
