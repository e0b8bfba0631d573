"""What a stranger may send instead of audio, and which error says so."""

import contextlib
import io
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.audio.boxes import mp4_counts_fit
from inference.audio.containers import identify
from inference.audio.decode import decode
from inference.audio.pieces import estimate_seconds
from inference.audio.pyav_blocks import pyav_blocks
from inference.audio.source import Part
from inference.errors import (
    AudioOutOfLimits,
    AudioTooShort,
    InputError,
    InvalidSamples,
    UndecodableAudio,
    UnsupportedCodec,
)
from inference.types import AudioLimits
from tests.inference.audio import fuzz
from tests.inference.audio.encoders import ffmpeg
from tests.inference.audio.kinds import files_of_every_kind
from tests.samples import encode, noise, tone, wav

FLAC = encode(noise(1), container="FLAC")
OGG = encode(noise(1), container="OGG", subtype="VORBIS")
OPUS = encode(noise(1), container="OGG", subtype="OPUS")


def scrambled(data, start):
    """Nonsense in place of a good part of the samples."""
    middle = np.random.default_rng(1).bytes(len(data) - start)
    return data[:start] + middle


def flipped(data, place):
    """One bit the other way round."""
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


UNDECODABLE = {
    "nothing": b"",
    "one byte": b"R",
    "a text": b"This is no audio at all, only a text that is long enough to be one.",
    "HTML": b"<!doctype html><title>Not found</title>",
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "RIFF, but AVI": b"RIFF\x00\x01\x00\x00AVI LIST" + bytes(100),
    "only RIFF": b"RIFF",
    "only RIFF and WAVE": b"RIFF\x24\0\0\0WAVE",
    "header cut in fmt": wav()[:30],
    "header without data": wav()[:36],
    "data before fmt": b"RIFF\x24\0\0\0WAVEdata\x04\0\0\0\0\0\0\0",
    "fmt too small": b"RIFF\x24\0\0\0WAVEfmt \x04\0\0\0\x01\0\x01\0data\x04\0\0\0\0\0\0\0",
    "less data than announced": wav()[:-1000],
    "more announced than sent": wav(size=1_000_000),
    "block align of another format": wav()[:32] + struct.pack("<H", 3) + wav()[34:],
    "12 bits": wav(bits=12),
    "no channels": wav(channels=0),
    "64-bit integers": wav(bits=64),
    "16-bit float": wav(codec=3),
    "truncated FLAC": FLAC[: len(FLAC) // 2],
    "corrupt FLAC": scrambled(FLAC, len(FLAC) // 3),
    "FLAC without frames": FLAC[:42],
    "only fLaC": b"fLaC",
    "only OggS": b"OggS",
    "corrupt OGG": scrambled(OGG, 60),
    "OGG cut in its headers": OGG[:200],
    "truncated OGG": OGG[: len(OGG) // 2],
    "truncated Opus": OPUS[:-1],
    "OGG with one wrong bit": flipped(OGG, len(OGG) // 2),
    "Opus with one wrong bit": flipped(OPUS, len(OPUS) - 10),
    "OGG followed by rubbish": OGG + b"rubbish",
}


@pytest.mark.parametrize("data", UNDECODABLE.values(), ids=UNDECODABLE)
def test_undecodable(data):
    with pytest.raises(UndecodableAudio) as caught:
        decode(data, AudioLimits(), 16_000)
    assert len(caught.value.detail) > 10
    assert "Traceback" not in caught.value.detail


OTHERS = {
    "MIDI": b"MThd\0\0\0\6",
    "Monkey's Audio": b"MAC \x96\x0f",
    "Musepack": b"MPCKSH",
    "SILK": b"\x02#!SILK_V3",
    "DSD": b"DSD \x1c",
    "RealMedia": b".RMF\0\0",
}


@pytest.mark.parametrize(("name", "magic"), OTHERS.items(), ids=OTHERS)
def test_sound_in_containers_that_are_not_taken(name, magic):
    with pytest.raises(UnsupportedCodec, match=name) as caught:
        decode(magic + bytes(1000), AudioLimits(), 16_000)
    for taken in ("WAV", "FLAC", "OGG", "MP3"):
        assert taken in caught.value.detail


KINDS = files_of_every_kind()


@pytest.mark.parametrize("name", KINDS)
def test_a_head_alone_is_no_recording(name):
    with pytest.raises(InputError):
        decode(KINDS[name][:16], AudioLimits(), 16_000)


@pytest.mark.parametrize("kind", [("mp3", "libmp3lame"), ("ipod", "alac"), ("wv", "wavpack"), ("matroska", "flac")])
def test_a_bomb_is_decoded_to_the_limit_and_no_further(kind, monkeypatch):
    bomb = ffmpeg(np.zeros(300 * 16_000, np.float32), *kind)
    read = []
    monkeypatch.setattr(Part, "read", lambda part, size=-1, read_on=Part.read: read.append(0) or read_on(part, size))
    decoded = decode(bomb, AudioLimits("clip"), 16_000)
    assert (decoded.clipped, decoded.waveform.samples.size) == (True, 160_000)
    assert decoded.duration == pytest.approx(300, abs=0.2) or kind[0] == "wv"
    assert len(read) < len(bomb) / 32_768 / 2 + 8


def test_a_stream_that_is_found_late():
    """Two of 20,000 mutated files had one, and PyAV looked for it in vain once all was read."""
    data = KINDS["FLV, AAC"]
    with pyav_blocks(Part(data, 0, len(data)), identify(data)[0]) as blocks:
        blocks._container = Late(blocks._container)
        assert sum(len(block.samples) for block in blocks) > 32_000


class Late:
    def __init__(self, container):
        self._container = container

    def demux(self, stream):
        yield from self._container.demux(stream)
        raise IndexError


def test_mutated_files_never_surprise():
    """In small what `make fuzz` does with 20,000."""
    found = fuzz.run(inputs=100, seed=2, processes=1)
    assert found["faults"] == []
    assert sum(found["outcomes"].values()) == 100
    assert {key.rpartition(": ")[2] for key in found["outcomes"]} >= {"decoded", "UndecodableAudio"}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -3e38])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_samples_that_are_no_sound(value, subtype):
    samples = tone()
    samples[4000] = value
    with pytest.raises(InvalidSamples, match="NaN"):
        decode(encode(samples, subtype=subtype), AudioLimits(), 16_000)


def test_one_bad_channel_is_found():
    samples = np.stack([tone(), tone()], axis=1)
    samples[77, 1] = np.nan
    with pytest.raises(InvalidSamples):
        decode(encode(samples, subtype="FLOAT"), AudioLimits(), 16_000)


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("seconds", [0, 0.01, 0.099])
def test_too_short(rate, seconds):
    with pytest.raises(AudioTooShort, match=r"0\.1 s"):
        decode(encode(tone(seconds, rate), rate), AudioLimits(), 16_000)


@pytest.mark.parametrize("rate", [1, 7_999, 96_001, 192_000])
def test_sample_rates_outside_the_limits(rate):
    with pytest.raises(AudioOutOfLimits, match="8000 to 96000 Hz"):
        decode(wav(rate=rate), AudioLimits(), 16_000)


@pytest.mark.parametrize("channels", [33, 64, 255])
def test_too_many_channels(channels):
    with pytest.raises(AudioOutOfLimits, match=f"{channels} channels"):
        decode(wav(bytes(channels * 2 * 8000), channels=channels), AudioLimits(), 16_000)


def outcome(data):
    """Decode what may be anything; only an InputError may come of it."""
    with contextlib.suppress(InputError):
        decode(data, AudioLimits(), 16_000)
    assert estimate_seconds(data) >= 0


def damaged(data, changes, kept):
    """Bytes changed at places of 0 to 1, squared so that most of the damage falls on headers; the beginning of that."""
    data = bytearray(data)
    for place, value in changes:
        data[int(place**2 * len(data))] = value
    return bytes(data[: int(len(data) * max(kept, 0.01))])


@settings(max_examples=300)
@given(
    st.sampled_from([b"", b"RIFF\0\0\0\0WAVE", b"fLaC", b"OggS", b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0"]),
    st.binary(max_size=300),
)
def test_random_bytes_never_surprise(magic, rest):
    outcome(magic + rest)


@settings(max_examples=300)
@given(
    st.sampled_from([wav(), encode(tone(0.2), container="WAVEX"), FLAC, OGG, OPUS]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4),
    st.floats(0, 1),
)
def test_damaged_files_never_surprise(data, changes, kept):
    outcome(damaged(data, changes, kept))


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(["MP3", "AAC", "M4A, AAC", "MP4, fragmented", "WebM, Opus", "AMR", "WMA 2", "FLV, AAC"]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4),
    st.floats(0, 1),
)
def test_damaged_files_that_ffmpeg_reads_never_surprise(name, changes, kept):
    outcome(damaged(KINDS[name], changes, kept))


def test_soundfile_can_read_what_is_called_good():
    for data in (wav(), FLAC, OGG, OPUS):
        assert soundfile.info(io.BytesIO(data)).frames > 0
        outcome(data)


def test_boxes_that_claim_to_hold_all_that_follows_are_looked_at_once():
    """Each walked all later ones again, and those again."""
    trap = struct.pack(">I4sI4s", 16, b"moov", 0x7FFFFFFF, b"trak")
    data = struct.pack(">I4s4sI", 16, b"ftyp", b"M4A ", 0) + 300 * trap
    looks = iter(range(1000))
    mp4_counts_fit(data, 0, len(data), lambda: next(looks))
