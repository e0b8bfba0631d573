"""Files as real recorders write them: wrong sizes, missing heads, several in one, cut off."""

import struct

import numpy as np
import pytest

from inference.audio.containers import opened
from inference.audio.decode import decode
from inference.audio.pieces import estimate_seconds, pieces_of
from inference.audio.riff import read_wav_header
from inference.errors import AudioTooShort, InputError, UndecodableAudio, UnsupportedCodec
from inference.types import AudioLimits
from tests.inference.audio.encoders import amr_wide, ffmpeg, id3, picture, with_checksum
from tests.inference.audio.kinds import files_of_every_kind
from tests.samples import encode, noise, tone, wav

FILES = files_of_every_kind()


def heard(data, **limits):
    return decode(data, AudioLimits(**limits), 16_000)


@pytest.mark.parametrize("size", [0, 2_000_000_000, 0x7FFF0000, 0xFFFFFFFF])
def test_a_wav_into_a_pipe_is_read_to_its_end(size):
    decoded = heard(wav(size=size))
    assert (decoded.duration, decoded.warnings) == (0.5, ())
    np.testing.assert_allclose(decoded.waveform.samples, tone(), atol=2**-14)
    assert estimate_seconds(wav(size=size)) == 0.5


def test_a_few_bytes_too_few_are_a_slip_and_said():
    decoded = heard(wav(size=16_000 + 44))
    assert decoded.duration == 0.5
    assert decoded.warnings == ("The header announces 44 bytes more than there are.",)


def test_many_bytes_too_few_are_half_a_file():
    with pytest.raises(UndecodableAudio, match="18000 bytes of samples, 16000 arrived"):
        heard(wav(size=18_000))


def test_a_header_of_the_first_piece_only():
    decoded = heard(wav(size=8_000))
    assert decoded.duration == 0.5
    assert decoded.warnings == ("The header announces 8000 bytes of samples; all 16000 were taken.",)


@pytest.mark.parametrize(
    "behind", [bytes(3000), b"LIST\x04\0\0\0INFO", b"LIST\x05\0\0\0INFO!\0id3 \x02\0\0\0ab", b"\0"]
)
def test_padding_and_chunks_behind_the_samples_are_no_samples(behind):
    decoded = heard(wav() + behind)
    assert (decoded.duration, decoded.warnings) == (0.5, ())


def test_an_odd_chunk_without_its_padding():
    odd = wav()[:36] + b"junk" + (5).to_bytes(4, "little") + b"INFO!" + wav()[36:]
    np.testing.assert_allclose(heard(odd).waveform.samples, tone(), atol=2**-14)


@pytest.mark.parametrize(("bits", "container"), [(12, 16), (20, 24)])
def test_valid_bits_in_a_wider_container(bits, container):
    samples = (tone() * 2**31).astype("<i4").view(np.uint8).reshape(-1, 4)[:, -container // 8 :].tobytes()
    plain = wav(samples, bits=container)
    np.testing.assert_allclose(
        heard(plain[:34] + struct.pack("<H", bits) + plain[36:]).waveform.samples, tone(), atol=2**-11
    )


def test_a_flac_from_a_pipe_has_no_number_of_samples():
    piped = bytearray(encode(noise(3), container="FLAC"))
    piped[21] &= 0xF0
    piped[22:26] = bytes(4)
    np.testing.assert_array_equal(
        heard(bytes(piped)).waveform.samples, heard(encode(noise(3), container="FLAC")).waveform.samples
    )
    assert estimate_seconds(bytes(piped)) == 3
    with pytest.raises(UndecodableAudio):
        heard(bytes(piped[: len(piped) // 2]))


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


@pytest.mark.parametrize("codec", [0x1234, 0x0040])
def test_what_no_decoder_reads_is_refused_by_its_name(codec):
    with pytest.raises(UnsupportedCodec, match=f"0x{codec:04x}"):
        heard(wav(codec=codec))


def test_too_short_in_any_kind():
    with pytest.raises(AudioTooShort):
        heard(ffmpeg(tone(0.02), "au", "pcm_s16be"))


@pytest.mark.parametrize("silence", [200_000, 9_000_000])
def test_what_is_behind_a_header_of_the_first_piece_may_begin_silent(silence):
    spoken = (20_000 * tone()).astype("<i2").tobytes()
    data = wav(size=len(spoken)) + bytes(silence) + spoken
    assert read_wav_header(data).data_bytes == 2 * len(spoken) + silence
    if silence < 1_000_000:
        decoded = heard(data)
        assert decoded.duration == pytest.approx(1 + silence / 32_000)
        assert decoded.warnings == ("The header announces 16000 bytes of samples; all 232000 were taken.",)


def test_silence_behind_the_samples_is_looked_at_in_few_places():
    class Counted(bytes):
        read = 0

        def __getitem__(self, key):
            found = bytes.__getitem__(self, key)
            Counted.read += len(found) if isinstance(key, slice) else 1
            return found

    assert read_wav_header(Counted(wav(size=16_000) + bytes(100_000_000))).data_bytes == 16_000
    assert Counted.read < 5_000_000


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100])
def test_an_mp3_says_how_long_it_is_less_what_its_encoder_added(rate):
    for length in np.random.default_rng(0).integers(rate // 2, 3 * rate, 6):
        data = ffmpeg(noise(3, rate)[:length], "mp3", "libmp3lame", rate)
        assert heard(data).duration == pytest.approx(length / rate, abs=0.02)
        assert estimate_seconds(data) == pytest.approx(length / rate, abs=0.02)


def test_more_samples_than_32_bits_can_count(tmp_path):
    """An hour of eight channels of 32 bits at 48 kHz, of which nothing was written but the holes in it."""
    size = 3600 * 48_000 * 8 * 4
    head = wav(channels=8, rate=48_000, bits=32)[:44]
    long = b"ds64" + struct.pack("<IQQQI", 28, size + 72, size, 0, 0)
    path = tmp_path / "hour.wav"
    with path.open("wb") as file:
        file.write(b"RF64\xff\xff\xff\xffWAVE" + long + head[12:40] + b"\xff\xff\xff\xff")
        file.truncate(file.tell() + size)
    with opened(path) as data:
        (piece,) = pieces_of(data, int)
        with piece.blocks(data, int) as blocks:
            assert (piece.stated, blocks.announced) == (3600, 3600)


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


@pytest.mark.parametrize("kind", [("mp3", "libmp3lame"), ("mp2", "mp2"), ("adts", "aac"), ("ac3", "ac3")])
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


PIPED = [
    ("aiff", "pcm_s16be"), ("aiff", "pcm_s24be"), ("aiff", "pcm_f32be"), ("aiff", "pcm_alaw"), ("w64", "pcm_s16le"),
    ("w64", "adpcm_ms"), ("au", "pcm_s16be"),
]  # fmt: skip


@pytest.mark.parametrize("kind", PIPED)
def test_what_was_written_into_a_pipe_is_heard_to_its_end(kind):
    piped, whole = (ffmpeg(noise(2), *kind, streamed=streamed) for streamed in (True, False))
    assert piped != whole
    np.testing.assert_array_equal(heard(piped).waveform.samples, heard(whole).waveform.samples)
    assert heard(piped).warnings == ()


@pytest.mark.parametrize("kind", ["aiff", "au"])
def test_sox_says_two_gigabytes_into_a_pipe(kind):
    whole = bytearray(ffmpeg(noise(2), kind, "pcm_s16be"))
    for name, place in {"aiff": ((b"FORM", 4), (b"SSND", 4), (b"COMM", 10)), "au": ((b".snd", 8),)}[kind]:
        struct.pack_into(">I", whole, whole.index(name) + place, 0x7F000000)
    assert heard(bytes(whole)).duration == 2
