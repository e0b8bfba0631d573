"""Files as real recorders write them: missing heads, several in one, junk between, cut off."""

import struct

import numpy as np
import pytest

from inference.audio.decode import decode
from inference.audio.pieces import estimate_seconds
from inference.errors import AudioTooShort, InputError, UndecodableAudio
from inference.types import AudioLimits
from tests.inference.audio.encoders import amr_wide, ffmpeg, id3, picture, with_checksum
from tests.inference.audio.kinds import files_of_every_kind
from tests.samples import encode, noise, tone, wav

FILES = files_of_every_kind()


def heard(data, **limits):
    return decode(data, AudioLimits(**limits), 16_000)


@pytest.mark.parametrize("first", ["OGG, Opus", "OGG, Vorbis"])
@pytest.mark.parametrize("second", ["OGG, Opus", "OGG, Vorbis"])
def test_a_chained_ogg_is_heard_whole(first, second):
    decoded = heard(FILES[first] + FILES[second] + FILES[first])
    assert decoded.duration == pytest.approx(6)
    for began in range(4_000, 96_000, 16_000):
        there = decoded.waveform.samples[began : began + 8_000]
        assert np.abs(np.fft.rfft(there * np.hanning(there.size))).argmax() == 220
    assert heard(FILES[first] + FILES[second], overlength="clip", limit_seconds=1).duration == pytest.approx(4)


def test_a_thousand_files_in_one_are_refused_rather_than_heard_in_part():
    with pytest.raises(UndecodableAudio, match="more than 1000 recordings"):
        heard(wav(tone(0.01).astype("<i2").tobytes()) * 1001)


def test_id3_before_flac():
    assert heard(id3(70_000) + FILES["FLAC"]).duration == 2


def test_channels_that_cancel_out():
    loud, soft = tone(hertz=440), -0.8 * tone(hertz=440)
    decoded = heard(encode(np.stack([soft, loud], axis=1)))
    np.testing.assert_allclose(decoded.waveform.samples, loud, atol=2**-14)
    assert decoded.warnings == ("The channels cancel each other out; channel 2 alone was heard.",)


@pytest.mark.parametrize(
    "channels",
    [[tone(), tone()], [tone(), 0 * tone()], [tone(), noise()], [0 * tone(), 0 * tone()], [tone(), *[0 * tone()] * 7]],
    ids=["same", "one silent", "unlike", "both silent", "seven of eight silent"],
)
def test_channels_that_do_not_cancel_out_are_mixed(channels):
    decoded = heard(encode(np.stack(channels, axis=1)))
    assert decoded.warnings == ()
    np.testing.assert_allclose(decoded.waveform.samples, np.mean(channels, axis=0), atol=2**-14)


@pytest.mark.parametrize("junk", [b"", b"\0", b"junk" * 300, bytes(40_000), b"\xff" * 100, b"\xff\xfa\xff\xe3"])
@pytest.mark.parametrize("name", ["MP3", "MP3, 44.1 kHz", "MP2", "AAC", "AC3"])
def test_frames_are_known_behind_junk(name, junk):
    frames = FILES[name]
    if frames.startswith(b"ID3"):
        frames = frames[frames.index(b"\xff") :]
    expected = heard(FILES[name])
    assert heard(junk + frames).duration == pytest.approx(expected.duration, abs=0.06)


def test_a_browsers_recording_without_its_head():
    data = FILES["WebM, of a browser"]
    with pytest.raises(UndecodableAudio, match="later piece of a WebM recording"):
        heard(data[data.index(b"\x1f\x43\xb6\x75") :])
    with pytest.raises(UndecodableAudio, match=r"the first bytes \(b6 75 00"):
        heard(b"\xb6\x75" + bytes(4000))


@pytest.mark.parametrize("name", ["WebM, Opus", "WebM, of a browser"])
@pytest.mark.parametrize("part", [0.25, 0.5, 0.99])
def test_a_webm_that_is_cut_off_says_so(name, part):
    data = FILES[name]
    decoded = heard(data[: int(len(data) * part)])
    assert decoded.duration == pytest.approx(2 * part, abs=0.15)
    assert "cut off" in decoded.warnings[0]


@pytest.mark.parametrize("name", ["WebM, of a browser", "MP4, fragmented"])
def test_a_recording_without_duration_is_counted(name):
    assert heard(FILES[name]).duration == pytest.approx(2, abs=0.12)
    assert 0 < estimate_seconds(FILES[name]) < 100


@pytest.mark.parametrize(
    "name", ["MP4, index first", "MP3", "AIFF", "AU", "WavPack", "TTA", "WMA 2", "FLAC", "OGG, Opus"]
)
def test_half_of_what_says_its_length_is_refused(name):
    with pytest.raises(UndecodableAudio):
        heard(FILES[name][: len(FILES[name]) // 2])


@pytest.mark.parametrize("name", ["MP4, fragmented", "CAF, PCM", "W64", "FLV, AAC"])
def test_half_of_what_does_not_is_taken_and_said(name):
    decoded = heard(FILES[name][: len(FILES[name]) // 2 + 5])
    assert decoded.duration == pytest.approx(1, abs=0.15)
    assert decoded.warnings


def test_an_mp4_without_its_index():
    data = FILES["M4A, AAC"]
    assert data.index(b"moov") > data.index(b"mdat")
    with pytest.raises(UndecodableAudio, match="moov"):
        heard(data[: data.index(b"moov") - 4])


@pytest.mark.parametrize(("name", "box", "place"), [("MP4, fragmented", b"trun", 8), ("M4A, AAC", b"stsz", 12)])
def test_an_index_that_claims_millions_of_samples(name, box, place):
    data = bytearray(FILES[name])
    at = data.index(box) + place
    data[at : at + 4] = (16 << 20).to_bytes(4, "big")
    with pytest.raises(UndecodableAudio, match="claims more samples"):
        heard(bytes(data))


def test_nothing_in_an_mp4_is_too_short():
    with pytest.raises(InputError):
        heard(ffmpeg(np.zeros(1), "mp4", "pcm_s16le"))


def test_a_cover_picture_is_no_stream_of_sound():
    cover = b"\0image/jpeg\0\x03\0" + picture()
    tag = id3(len(cover) + 10)[:10] + b"APIC" + struct.pack(">I", len(cover)) + b"\0\0" + cover
    assert heard(tag + FILES["MP3"]).duration == pytest.approx(2, abs=0.1)


def test_the_last_frame_of_aac_is_half():
    decoded = heard(FILES["AAC"][:-20])
    assert decoded.duration == pytest.approx(2.05, abs=0.1)
    assert decoded.warnings == ("Damaged frames were left out: 64 ms.",)


def test_a_telephone_that_sends_nothing_in_silence():
    silence = (
        bytes([8 << 3 | 4]) + bytes(5) + bytes([15 << 3 | 4]) * 7
    ) * 10  # AMR's frames of comfort noise and of none
    decoded = heard(FILES["AMR"] + silence)
    assert decoded.duration == pytest.approx(2 + 80 * 0.02, abs=0.03)
    assert heard(amr_wide(100)).duration == pytest.approx(1.92)


def test_too_short_in_any_kind():
    with pytest.raises(AudioTooShort):
        heard(ffmpeg(tone(0.02), "au", "pcm_s16be"))


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100])
def test_an_mp3_says_how_long_it_is_less_what_its_encoder_added(rate):
    for length in np.random.default_rng(0).integers(rate // 2, 3 * rate, 6):
        data = ffmpeg(noise(3, rate)[:length], "mp3", "libmp3lame", rate)
        assert heard(data).duration == pytest.approx(length / rate, abs=0.02)
        assert estimate_seconds(data) == pytest.approx(length / rate, abs=0.02)


@pytest.mark.parametrize("kind", ["OPUS", "VORBIS"])
def test_a_stream_that_ran_already_is_as_long_as_what_was_caught_of_it(kind):
    """Its pages count from when it began, six hours ago."""
    pages = [b"OggS" + page for page in encode(noise(8), container="OGG", subtype=kind).split(b"OggS")[1:]]
    rate = 48_000 if kind == "OPUS" else 16_000
    late = [
        with_checksum(page[:6] + struct.pack("<q", granule + 6 * 3600 * rate) + page[14:]) if granule > 0 else page
        for page in pages
        for (granule,) in [struct.unpack_from("<q", page, 6)]
    ]
    assert heard(b"".join(late)).duration == pytest.approx(8, abs=0.05)
    assert estimate_seconds(b"".join(late)) == pytest.approx(8, abs=1.1)


@pytest.mark.parametrize(
    "kind", [("mp3", "libmp3lame"), ("mp2", "mp2"), ("adts", "aac"), ("ac3", "ac3"), ("wav", "libmp3lame")]
)
def test_what_was_lost_between_frames_is_told(kind):
    """FFmpeg steps over what is no frame without a word, and what follows comes earlier."""
    whole = ffmpeg(
        noise(12, 48_000), *kind, 48_000, bit_rate=64_000, options={"write_xing": "0"} if kind[0] == "mp3" else {}
    )
    third = len(whole) // 3
    assert heard(whole).warnings == ()
    decoded = heard(whole[:third] + bytes(third) + whole[2 * third :])
    assert decoded.duration == pytest.approx(8, abs=0.3)
    assert any("between frames are no sound" in warning for warning in decoded.warnings)
