"""Sound that is not there is told, and what comes behind it keeps its time."""

import io
import itertools
import struct

import av
import numpy as np
import pytest

from inference.audio.containers import identify
from inference.audio.decode import decode
from inference.audio.pieces import estimate_seconds, pieces_of
from inference.audio.pyav_blocks import pyav_blocks
from inference.audio.tags import bytes_from
from inference.errors import AudioOutOfLimits, InputError, UndecodableAudio
from inference.types import AudioLimits
from tests.inference.audio.encoders import ffmpeg, remuxed, with_checksum
from tests.samples import encode, tone

LIMITS = AudioLimits("clip", limit_seconds=30)
TWO_TONES = np.concatenate([tone(6, 48_000, 440), tone(6, 48_000, 880)])


def heard(data):
    return decode(data, LIMITS, 16_000)


def hertz_at(decoded, second):
    there = decoded.waveform.samples[second * 16_000 - 8_000 : second * 16_000 + 8_000]
    return np.abs(np.fft.rfft(there * np.hanning(there.size))).argmax()


def not_in_the_middle(packet):
    return not 4 < packet.pts * packet.time_base < 8


@pytest.mark.parametrize("container", ["mpegts", "matroska", "flv"])
def test_a_hole_of_a_codec_that_never_pauses_is_silence_and_told(container):
    rate = 44_100 if container == "flv" else 48_000
    samples = np.concatenate([tone(6, rate, 440), tone(6, rate, 880)])
    decoded = heard(remuxed(ffmpeg(samples, container, "aac", rate), container, not_in_the_middle))
    assert decoded.duration == pytest.approx(12, abs=0.1)
    assert [hertz_at(decoded, second) for second in (2, 10)] == [440, 880]
    (warning,) = decoded.warnings
    assert warning == "4.0 s of sound are missing; silence stands in their place."


def test_a_hole_in_the_bytes_is_no_end():
    whole = ffmpeg(TWO_TONES, "matroska", "aac", 48_000)
    damaged = whole[: len(whole) // 3] + bytes(len(whole) // 5) + whole[len(whole) // 3 + len(whole) // 5 :]
    decoded = heard(damaged)
    assert decoded.duration == pytest.approx(12, abs=0.1)
    assert any("s of sound are missing" in each for each in decoded.warnings)
    assert not any("at its end" in each for each in decoded.warnings)


def test_a_hole_in_a_wma_is_told():
    whole = ffmpeg(np.random.default_rng(0).normal(0, 0.1, (12 * 44_100, 2)), "asf", "wmav2", 44_100, bit_rate=64_000)
    third = len(whole) // 3
    decoded = heard(whole[:third] + bytes(third) + whole[2 * third :])
    assert decoded.duration == pytest.approx(12, abs=0.1)
    assert any("s of sound are missing" in each for each in decoded.warnings)


def film(sound_from):
    """Two seconds of sound beside five of a picture."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as output:
        shown, sound = output.add_stream("mpeg4", rate=5), output.add_stream("aac", rate=48_000, layout="mono")
        shown.width = shown.height = 64
        shown.pix_fmt = "yuv420p"
        for place in range(25):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            frame.pts = place
            output.mux(shown.encode(frame))
        output.mux(shown.encode(None))
        samples = tone(2, 48_000, 440).astype(np.float32)
        for start in range(0, samples.size, 1024):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48_000, round(sound_from * 48_000) + start
            output.mux(sound.encode(frame))
        output.mux(sound.encode(None))
    return buffer.getvalue()


@pytest.mark.parametrize("sound_from", [0, 2])
def test_sound_that_begins_behind_the_picture_keeps_its_time(sound_from):
    decoded = heard(film(sound_from))
    assert decoded.duration == pytest.approx(sound_from + 2, abs=0.1)
    assert hertz_at(decoded, sound_from + 1) == 440
    assert decoded.warnings == ()
    assert np.abs(decoded.waveform.samples[: max(0, sound_from * 16_000 - 2_000)]).max(initial=0) < 0.01


def pages(data):
    """Where each page of an OGG begins, and the end."""
    places = [place for place in range(len(data)) if data.startswith(b"OggS", place)]
    return [data[start:stop] for start, stop in zip(places, [*places[1:], len(data)], strict=True)]


OGG = {
    "Opus": ffmpeg(TWO_TONES, "ogg", "libopus", 48_000, options={"page_duration": "500000"}),
    "Vorbis": encode(np.random.default_rng(0).normal(0, 0.1, 12 * 48_000), 48_000, "OGG", "VORBIS"),
}


@pytest.mark.parametrize("name", OGG)
def test_an_ogg_without_its_last_pages_says_so(name):
    assert heard(OGG[name]).warnings == ()
    decoded = heard(b"".join(pages(OGG[name])[:-3]))
    assert 9 < decoded.duration < 12
    assert decoded.warnings == ("The recording has no last page: it may be cut off; what arrived whole was taken.",)


def test_an_ogg_without_pages_in_its_middle_says_so_or_is_refused():
    there = pages(OGG["Opus"])
    decoded = heard(b"".join(there[:10] + there[12:]))
    assert decoded.duration == pytest.approx(12, abs=0.1)
    assert decoded.warnings == ("2 pages of the OGG are missing, and the sound in them.",)
    there = pages(OGG["Vorbis"])
    with pytest.raises(UndecodableAudio):
        heard(b"".join(there[:10] + there[12:]))


def test_an_ogg_may_be_shorter_than_it_says_by_what_remuxing_rounds():
    stereo = np.random.default_rng(0).normal(0, 0.1, (2 * 48_000, 2))
    decoded = heard(remuxed(ffmpeg(stereo, "webm", "vorbis", 48_000), "ogg"))
    assert decoded.duration == pytest.approx(2, abs=0.01)
    assert decoded.warnings == ()


def test_an_ogg_that_was_listened_in_to_misses_nothing():
    """Its heads, then the pages that were sent just then."""
    there = pages(OGG["Opus"])
    assert heard(b"".join(there[:2] + there[12:])).warnings == ()


@pytest.mark.parametrize(
    "behind", [bytes(512), bytes(3), b"TAG" + bytes(125) + OGG["Opus"]], ids=["zeros", "few", "tag"]
)
def test_an_ogg_with_padding_behind_it_or_a_tag_before_the_next(behind):
    decoded = heard(OGG["Opus"] + behind)
    assert decoded.duration == pytest.approx(24 if b"OggS" in behind else 12, abs=0.1)
    assert decoded.warnings == ()


def test_an_ogg_with_something_else_behind_it_is_refused():
    with pytest.raises(UndecodableAudio, match="no page where one must begin"):
        heard(OGG["Opus"] + bytes(512) + b"something else")


def caf_of(samples, announced):
    """CAF with PCM whose chunk of samples has a size of that many bytes of them."""
    data = ffmpeg(samples, "caf", "pcm_s16le")
    at = data.index(b"data") + 4
    return data[:at] + struct.pack(">q", announced + 4 if announced >= 0 else -1) + data[at + 8 :]


def test_a_caf_that_says_too_much_is_heard_and_one_that_says_too_little_is_refused_or_padded():
    """As docs/api.md has it."""
    sound, silence = tone(1), np.zeros(16_000)
    for announced, warnings in ((-1, 0), (80_000, 1)):
        decoded = heard(caf_of(sound, announced))
        assert (decoded.duration, len(decoded.warnings)) == (1, warnings)
    with pytest.raises(UndecodableAudio, match="could be decoded"):
        heard(caf_of(np.concatenate([sound, tone(1, hertz=441.3)]), 32_000))
    decoded = heard(caf_of(np.concatenate([sound, silence]), 32_000))
    assert (decoded.duration, decoded.warnings) == (1, ())


def of_rate(rate):
    """Small files that claim an absurd rate."""
    wave = bytearray(encode(np.zeros(1_000_000), 16_000, "WAV", "PCM_U8"))
    struct.pack_into("<II", wave, 24, rate, rate)
    ogg = pages(encode(np.zeros(8_000 * 200), 8_000, "OGG", "VORBIS"))
    head = bytearray(ogg[0])
    struct.pack_into("<I", head, 28 + 12, rate)
    return {"WAV": bytes(wave), "OGG": with_checksum(bytes(head)) + b"".join(ogg[1:])}


@pytest.mark.parametrize("name", ["WAV", "OGG"])
def test_a_second_of_an_absurd_rate_is_not_decoded(name):
    data = of_rate(2_000_000_000)[name]
    (piece,) = pieces_of(data, lambda: None)
    with piece.blocks(data, lambda: None) as blocks:
        assert next(iter(blocks)).samples.size <= 1 << 18
    with pytest.raises(AudioOutOfLimits, match="2000000000 Hz"):
        heard(data)


def box(name, content):
    return struct.pack(">I4s", 8 + len(content), name) + content


def test_who_says_millions_of_years_says_nothing():
    told = bytes([1, 0, 0, 0]) + bytes(16) + struct.pack(">IQ", 1000, 1 << 62) + bytes(80)
    data = box(b"ftyp", b"M4A \0\0\0\0") + box(b"moov", box(b"mvhd", told))
    assert estimate_seconds(data, guess=False) == 0


@pytest.mark.parametrize("count", [4, 6, 7])
def test_an_aiff_with_the_beginning_of_another_behind_it(count):
    with pytest.raises(InputError):
        heard(encode(tone(1), 16_000, "AIFF") + b"FORM\0\0\0\0"[:count])


@pytest.mark.parametrize("container", ["WAV", "RF64"])
def test_wav_files_with_chunks_behind_their_samples_are_joined(container):
    chunk = b"LIST" + struct.pack("<I", 13) + b"INFOISFT" + bytes(5) + b"\0"
    first = encode(tone(2), 16_000) + chunk
    first = (b"RF64" if container == "RF64" else b"RIFF") + struct.pack("<I", len(first) - 8) + first[8:]
    decoded = heard(first + encode(tone(3, hertz=500)))
    assert (decoded.duration, decoded.warnings) == (5.0, ())


def test_chunks_are_padded_from_the_beginning_of_their_own_file():
    """The second begins at an odd byte."""
    odd = encode(np.zeros(16_001), 16_000, "WAV", "PCM_U8")
    odd = odd[: 44 + 16_001]  # without the byte that pads it
    chunk = b"LIST" + struct.pack("<I", 13) + b"INFOISFT" + bytes(5) + b"\0"
    decoded = heard(odd + encode(tone(1), 16_000) + chunk + encode(tone(1, hertz=500)))
    assert decoded.duration == pytest.approx(3.0, abs=0.001)


def test_silence_at_an_absurd_rate_comes_in_small_pieces():
    class Frame:
        sample_rate, time = 2_000_000_000, 500.0

    data = film(0)
    with pyav_blocks(io.BytesIO(data), identify(data)[0]) as blocks:
        pieces = itertools.islice(blocks._silence_before(Frame, np.zeros((1, 2), np.float32)), 3)
        assert all(silence.size <= 1 << 22 for silence, _ in pieces)


def test_tags_without_end_behind_an_ogg_are_not_counted_for_ever():
    tags = b"ID3\4\0\0\0\0\0\0" * 1000
    assert bytes_from(tags, 0) <= 100
    with pytest.raises(UndecodableAudio, match="no page where one must begin"):
        heard(OGG["Opus"] + tags + b"something else")
