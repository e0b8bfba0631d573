"""Headers that are wrong: sizes from before the end was known, sizes of the first piece only, odd chunks."""

import struct

import numpy as np
import pytest

from inference.audio.containers import opened
from inference.audio.decode import decode
from inference.audio.pieces import estimate_seconds, pieces_of
from inference.audio.riff import read_wav_header
from inference.errors import AudioTooShort, UndecodableAudio, UnsupportedCodec
from inference.types import AudioLimits
from tests.inference.audio.encoders import ffmpeg, id3, remuxed
from tests.samples import Counted, encode, noise, tone, wav


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


def flac_of(samples, add):
    """Its head announces so many samples more than there are."""
    head = bytearray(encode(samples, container="FLAC"))
    (packed,) = struct.unpack_from(">Q", head, 18)
    struct.pack_into(">Q", head, 18, packed + add)
    return bytes(head)


@pytest.mark.parametrize("samples", [noise(3), np.zeros(48_000)], ids=["noise", "silence"])
def test_a_flac_that_counts_its_first_piece_only_or_a_few_samples_too_many(samples):
    for add, warning in (
        (-24_000, "The header announces 24000 samples; all 48000 were taken."),
        (64, "The header announces 64 samples more than there are."),
    ):
        decoded = heard(flac_of(samples, add))
        assert decoded.warnings == (warning,)
        np.testing.assert_array_equal(decoded.waveform.samples, heard(flac_of(samples, 0)).waveform.samples)
        assert estimate_seconds(flac_of(samples, add)) == pytest.approx(3, abs=0.01)
    with pytest.raises(UndecodableAudio, match=r"6\.000 s are announced, 3\.000 arrived"):
        heard(flac_of(samples, 48_000))


def test_a_flac_of_a_few_bytes_is_refused():
    whole = encode(noise(1), container="FLAC")
    for length in range(4, 60):
        with pytest.raises(UndecodableAudio):
            heard(whole[:length])
        with pytest.raises(UndecodableAudio):
            heard(b"fLaC\x80" + bytes(length - 4))


def test_of_a_flac_that_is_cut_off_the_first_seconds_are_heard():
    whole = encode(noise(30), container="FLAC")
    assert heard(whole[: len(whole) // 2], overlength="clip").duration == 30


def test_a_flac_that_was_cut_out_of_a_longer_one_counts_from_its_own_beginning():
    """Its frames have the numbers that they had there."""
    later = remuxed(ffmpeg(noise(6), "flac", "flac"), "flac", lambda packet: packet.pts >= 32_000)
    with pytest.raises(UndecodableAudio, match=r"6\.000 s are announced, 3\.984 arrived"):
        heard(later)


@pytest.mark.parametrize("fields", [(b"SSND",), (b"SSND", b"COMM", b"FORM")], ids=["samples", "all"])
def test_an_aiff_that_counts_its_first_piece_only(fields):
    whole = bytearray(ffmpeg(noise(2), "aiff", "pcm_s16be"))
    half = ffmpeg(noise(1), "aiff", "pcm_s16be")
    for name in fields:
        at = whole.index(name) + (10 if name == b"COMM" else 4)
        whole[at : at + 4] = half[at : at + 4]
    decoded = heard(bytes(whole))
    assert decoded.duration == 2
    assert decoded.warnings == ("The header announces 32000 bytes of samples; all 64000 were taken.",)


@pytest.mark.parametrize("behind", [b"NAME\0\0\0\4name", bytes(1000), id3(300)], ids=["chunk", "zeros", "tag"])
def test_what_is_no_sound_behind_an_aiff_is_not_heard(behind):
    decoded = heard(ffmpeg(noise(1), "aiff", "pcm_s16be") + behind)
    assert (decoded.duration, decoded.warnings) == (1, ())


def test_an_au_that_counts_its_first_piece_only():
    whole = bytearray(ffmpeg(noise(2), "au", "pcm_s16be"))
    whole[8:12] = (32_000).to_bytes(4, "big")
    decoded = heard(bytes(whole))
    assert decoded.duration == 2
    assert decoded.warnings == ("The header announces 32000 bytes of samples; all 64000 were taken.",)


@pytest.mark.parametrize("extensible", [False, True])
def test_24_valid_bits_in_four_bytes(extensible):
    plain = wav((tone() * 2**31).astype("<i4").tobytes(), bits=32)
    layout = plain[20:34] + struct.pack("<H", 24)
    if extensible:
        guid = bytes.fromhex("0100000000001000800000aa00389b71")
        layout = b"\xfe\xff" + layout[2:] + struct.pack("<HHI", 22, 24, 4) + guid
    data = plain[:16] + struct.pack("<I", len(layout)) + layout + plain[36:]
    np.testing.assert_allclose(heard(data).waveform.samples, tone(), atol=2**-14)


def test_no_samples_and_a_chunk_behind_them_are_no_samples():
    with pytest.raises(AudioTooShort):
        heard(wav(b"LIST" + struct.pack("<I", 20_004) + b"INFO" + bytes(range(1, 201)) * 100, size=0))


def test_samples_in_several_pieces_are_refused_by_their_name():
    samples = (20_000 * tone()).astype("<i2").tobytes()
    data = b"data" + struct.pack("<I", len(samples)) + samples
    with pytest.raises(UnsupportedCodec, match="second 'data' chunk"):
        heard(wav(samples) + data)
    with pytest.raises(UnsupportedCodec, match="wavl"):
        heard(wav(samples)[:36] + b"LIST" + struct.pack("<I", 4 + 2 * len(data)) + b"wavl" + data + data)


def test_gsm_in_aiff_is_refused_by_its_name():
    with pytest.raises(UnsupportedCodec, match="AIFF with gsm"):
        heard(encode(tone(1), container="AIFF", subtype="GSM610"))


@pytest.mark.parametrize("length", [26_624, 25_576, 27_876])
def test_alac_in_caf_is_heard_to_its_end(length):
    sound = noise(2)[:length]
    decoded = heard(encode(sound, container="CAF", subtype="ALAC_16"))
    assert decoded.waveform.samples.size == length
    np.testing.assert_allclose(decoded.waveform.samples, sound, atol=2**-14)


@pytest.mark.parametrize("codec", [0x1234, 0x0040, 0x00FF])
def test_what_no_decoder_reads_is_refused_by_its_name(codec):
    with pytest.raises(UnsupportedCodec, match=f"0x{codec:04x}"):
        heard(wav(codec=codec))


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
    Counted.read = 0
    assert read_wav_header(Counted(wav(size=16_000) + bytes(100_000_000))).data_bytes == 16_000
    assert Counted.read < 5_000_000


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
