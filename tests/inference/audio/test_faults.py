"""Every kind of file with every kind of fault: an error with a reason, or the sound that is there, with a warning."""

import time

import numpy as np
import pytest

from inference.audio.decode import decode
from inference.errors import InputError, UndecodableAudio
from inference.types import AudioLimits
from tests.inference.audio.encoders import ffmpeg, picture, silent_film
from tests.inference.audio.kinds import encoders, files_of_every_kind
from tests.inference.audio.lies import lies, lying
from tests.memory import Taken

FILES = files_of_every_kind()
LIMITS = AudioLimits("clip")
MOST_MEBIBYTES = 150
# These have no length and no frame that could be half: what is there is all that anybody can know of.
CANNOT_TELL = {"WAV, piped"}


@pytest.fixture(autouse=True)
def little_is_spent():
    """Of a processor and of memory, whatever is claimed."""
    processor, taken = time.thread_time(), Taken()
    yield
    assert time.thread_time() - processor < LIMITS.decode_seconds
    assert taken.mebibytes < MOST_MEBIBYTES


def decoded(data):
    """What was decoded, or None where it was refused with a reason."""
    try:
        return decode(data, LIMITS, 16_000)
    except InputError as refused:
        error = refused
    assert len(error.detail) > 10
    assert "Traceback" not in error.detail
    return None


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("part", [0.3, 0.5, 0.95])
def test_without_its_end(name, part):
    data = FILES[name]
    kept = int(len(data) * part) // 188 * 188 + 95  # in the middle of a packet of MPEG-TS
    found = decoded(data[:kept])
    if found is not None and name not in CANNOT_TELL:
        assert found.warnings, found.duration
        assert found.duration < 1.1 * part * decode(data, LIMITS, 16_000).duration + 0.15


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("head", [12, 100, 1000])
def test_random_bytes_behind_its_head(name, head):
    decoded(FILES[name][:head] + np.random.default_rng(head).bytes(30_000))


@pytest.mark.parametrize(("name", "field", "value"), lies())
def test_a_head_that_lies(name, field, value):
    found = decoded(lying(FILES[name], name, field, value))
    if found is not None and field == "duration":
        assert found.duration == pytest.approx(decode(FILES[name], LIMITS, 16_000).duration, abs=0.1)
    elif found is not None:
        assert found.waveform.samples.size <= LIMITS.limit_seconds * 16_000


ENCODERS = encoders()


@pytest.mark.parametrize("name", ENCODERS)
def test_an_empty_stream(name):
    _, encoder = ENCODERS[name]
    try:
        empty = encoder(np.zeros(0))
    except Exception as error:  # noqa: BLE001
        pytest.skip(f"this encoder writes none: {error}")
    assert decoded(empty) is None or decoded(empty).duration < 0.2


PICTURES = {
    "JPEG": picture(),
    "PNG": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(500),
    "GIF": b"GIF89a" + bytes(500),
    "BMP": b"BM" + bytes(500),
    "TIFF": b"II*\0" + bytes(500),
    "WebP": b"RIFF\xf4\x01\0\0WEBPVP8 " + bytes(500),
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500),
    "AVIF": b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + bytes(500),
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>" + bytes(500),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture(name):
    with pytest.raises(UndecodableAudio, match="a JPEG picture" if name == "JPEG" else "not audio|a P|a G|moov"):
        decode(PICTURES[name], LIMITS, 16_000)


FILMS = [("mp4", "mpeg4"), ("mov", "mpeg4"), ("3gp", "mpeg4"), ("matroska", "mpeg4"), ("webm", "libvpx"),
         ("flv", "flv"), ("mpegts", "mpeg2video"), ("asf", "wmv2")]  # fmt: skip


@pytest.mark.parametrize(("container", "codec"), FILMS)
def test_a_film_without_sound(container, codec):
    with pytest.raises(UndecodableAudio, match="no audio stream"):
        decode(silent_film(container, codec), LIMITS, 16_000)


BOMBS = [("ogg", "flac"), ("ogg", "libopus"), ("tta", "tta"), ("caf", "alac"), ("amr", "libopencore_amrnb"),
         ("mp4", "libopus"), ("asf", "wmav2"), ("mp2", "mp2")]  # fmt: skip


@pytest.mark.parametrize(("container", "codec"), BOMBS)
def test_a_bomb_is_defused(container, codec):
    rate = {"libopus": 48_000, "libopencore_amrnb": 8_000, "wmav2": 44_100}.get(codec, 16_000)
    silence = np.zeros((40 * rate, 1 + (codec == "wmav2")), np.float32)
    bomb = ffmpeg(silence, container, codec, rate, bit_rate=32_000 if codec == "wmav2" else None)
    began = time.thread_time()
    found = decode(bomb, LIMITS, 16_000)
    assert (found.clipped, found.waveform.samples.size) == (True, 160_000)
    assert time.thread_time() - began < 1
