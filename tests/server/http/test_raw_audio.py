"""Sound without a header: which content types describe it, and what comes of them."""

import numpy as np
import pytest

from inference.audio.decode import decode
from inference.audio.pieces import estimate_seconds
from inference.errors import UnsupportedCodec
from inference.types import AudioLimits
from server.errors import BadRequest
from server.http.raw_audio import RawAudio, header_of
from tests.samples import encode, tone, wav


def passed_on(content_type, *pieces):
    parts = []
    sound = RawAudio(parts.append)
    sound.describe(content_type)
    for piece in pieces:
        sound.append(piece)
    sound.finish()
    return b"".join(parts)


def g711(subtype, samples):
    """Bytes of a file without its header."""
    file = encode(samples, 8_000, subtype=subtype)
    return file[file.index(b"data") + 8 :]


SAMPLES = tone(0.5, 8_000)
RAW = {
    "audio/L16;rate=8000;channels=1": (SAMPLES * 32767).astype(">i2").tobytes(),
    "audio/l16; channels=1; rate=8000": (SAMPLES * 32767).astype(">i2").tobytes(),
    "Audio/L16;Rate=8000": (SAMPLES * 32767).astype(">i2").tobytes(),
    "audio/L16;rate=8000;channels=2": np.repeat((SAMPLES * 32767).astype(">i2"), 2).tobytes(),
    "audio/L24;rate=8000": (SAMPLES * 2**31).astype(">i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes(),
    "audio/L8;rate=8000": (SAMPLES * 127 + 128).astype(np.uint8).tobytes(),
    "audio/basic": g711("ULAW", SAMPLES),
    "audio/PCMU": g711("ULAW", SAMPLES),
    "audio/PCMU;rate=8000;channels=1": g711("ULAW", SAMPLES),
    "audio/PCMA": g711("ALAW", SAMPLES),
    "audio/x-raw;rate=8000": (SAMPLES * 32767).astype("<i2").tobytes(),
    "audio/x-raw;format=F32LE;rate=8000;layout=interleaved": SAMPLES.astype("<f4").tobytes(),
    "audio/x-raw;format=(string)S32BE;rate=(int)8000;channels=(int)1": (SAMPLES * 2**31).astype(">i4").tobytes(),
    "audio/x-raw, layout=(string)interleaved, rate=(int)8000, format=(string)F32BE, channels=(int)1": SAMPLES.astype(
        ">f4"
    ).tobytes(),
    "Audio/X-Raw,format=S8,rate=8000": (SAMPLES * 127).astype(np.int8).tobytes(),
    "audio/x-raw;format=F64BE;rate=8000": SAMPLES.astype(">f8").tobytes(),
}


@pytest.mark.parametrize(("content_type", "data"), RAW.items(), ids=RAW)
@pytest.mark.parametrize("piece", [1, 3, 100_000])
def test_samples_come_out_as_they_went_in(content_type, data, piece):
    file = passed_on(content_type, *(data[place : place + piece] for place in range(0, len(data), piece)))
    assert estimate_seconds(file) == pytest.approx(0.5)
    decoded = decode(file, AudioLimits(), 8_000)
    assert (decoded.duration, decoded.warnings) == (0.5, ())
    tolerance = 0.02 if any(each in content_type for each in ("basic", "PCM", "L8", "S8")) else 2**-14
    np.testing.assert_allclose(decoded.waveform.samples, SAMPLES, atol=tolerance)


@pytest.mark.parametrize(
    "content_type",
    ["audio/wav", "application/octet-stream", "", "text/html", "audio/ogg;rate=8000", "audio/L16, rate=8000"],
)
def test_other_types_say_nothing(content_type):
    assert header_of(content_type) == b""
    assert passed_on(content_type, b"ab", b"c") == b"abc"


@pytest.mark.parametrize("file", [wav(), encode(tone(), 8_000, "AU", "ULAW"), encode(tone(), container="FLAC")])
def test_a_file_with_a_header_keeps_it(file):
    assert passed_on("audio/basic", file[:2], file[2:]) == file


@pytest.mark.parametrize(
    "content_type",
    [
        "audio/L16",
        "audio/x-raw;format=S16LE",
        "audio/L16;rate=many",
        "audio/L16;rate=0",
        "audio/L16;rate=8000;channels=0",
        "audio/L16;rate=8000;channels=300",
        "audio/L16;rate=-1",
        "audio/L16;rate=99999999999",
        "audio/x-raw, format=(string)S16LE",
    ],
)
def test_what_is_missing_or_cannot_be_is_a_bad_request(content_type):
    with pytest.raises(BadRequest, match="rate"):
        header_of(content_type)


@pytest.mark.parametrize("content_type", ["audio/x-raw;format=S20LE;rate=8000", "audio/x-raw;rate=8000;layout=planar"])
def test_formats_that_are_not_taken_are_named(content_type):
    with pytest.raises(UnsupportedCodec, match="S16LE"):
        header_of(content_type)


def test_nothing_stays_nothing():
    assert passed_on("audio/basic") == b""
