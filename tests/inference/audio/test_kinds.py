"""Every kind of file in the table of what is taken."""

import subprocess
import sys

import numpy as np
import pytest

from inference.audio.containers import CONTAINERS, identify
from inference.audio.decode import decode
from inference.audio.pieces import estimate_seconds
from inference.types import AudioLimits
from tests.inference.audio.encoders import ffmpeg, id3
from tests.inference.audio.kinds import SECONDS, SPEECH, files_of_every_kind
from tests.samples import tone

FILES = files_of_every_kind()
# Encoders begin with silence and end with whole frames; at their worst so much is between a file and its sound.
DELAY = 0.12


@pytest.mark.parametrize("name", FILES)
def test_the_sound_is_heard_in_its_length(name):
    decoded = decode(FILES[name], AudioLimits(), 16_000)
    seconds = 2 * SECONDS if "chained" in name else SECONDS
    assert decoded.duration == pytest.approx(seconds, abs=DELAY)
    assert decoded.waveform.samples.size == pytest.approx(decoded.duration * 16_000, abs=2)
    assert decoded.waveform.samples.dtype == np.float32
    assert decoded.waveform.samples.flags.c_contiguous
    assert not decoded.clipped
    assert decoded.warnings == ()
    if name not in SPEECH:
        middle = decoded.waveform.samples[8_000:24_000]
        assert np.abs(np.fft.rfft(middle * np.hanning(middle.size))).argmax() == 440
        assert np.abs(middle).max() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("name", FILES)
def test_a_file_on_disk_is_decoded_as_its_bytes_are(name, tmp_path):
    path = tmp_path / "clip"
    path.write_bytes(FILES[name])
    by_name, by_bytes = (decode(each, AudioLimits(), 16_000) for each in (path, FILES[name]))
    np.testing.assert_array_equal(by_name.waveform.samples, by_bytes.waveform.samples)


@pytest.mark.parametrize("name", FILES)
def test_no_more_is_decoded_than_is_wanted(name):
    decoded = decode(FILES[name], AudioLimits("clip", limit_seconds=0.5), 16_000)
    assert decoded.clipped
    assert decoded.waveform.samples.size == pytest.approx(8_000, abs=2)
    assert decoded.duration >= 0.5


@pytest.mark.parametrize("name", FILES)
def test_tags_before_and_behind_are_stepped_over(name):
    ape = b"APETAGEX" + (2000).to_bytes(4, "little") + (32).to_bytes(4, "little") + bytes(16)
    tagged = id3() + id3(3) + FILES[name] + ape + b"TAG" + bytes(125)
    expected = decode(FILES[name], AudioLimits(), 16_000)
    decoded = decode(tagged, AudioLimits(), 16_000)
    assert decoded.duration == expected.duration
    np.testing.assert_array_equal(decoded.waveform.samples, expected.waveform.samples)


@pytest.mark.parametrize("channels", [2, 6, 8, 16])
@pytest.mark.parametrize("kind", [("mp4", "aac"), ("webm", "libopus"), ("wv", "wavpack")], ids=lambda kind: kind[1])
def test_all_channels_are_heard(kind, channels):
    if channels == 16 and kind != ("wv", "wavpack"):
        pytest.skip("this encoder knows no such layout")
    samples = np.stack([tone(1, 48_000, 200 + 60 * index) for index in range(channels)], axis=1)
    samples[:, 3:4] = 0  # of low frequencies, where there is such a channel
    decoded = decode(ffmpeg(samples, *kind, 48_000), AudioLimits(), 16_000)
    middle = decoded.waveform.samples[4_000:12_000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(middle.size)))
    loud = [spectrum[(200 + 60 * index) // 2] for index in range(channels) if index != 3]
    assert min(loud) > 0.7 * max(loud)


def test_ffmpeg_is_loaded_for_what_needs_it_and_no_sooner():
    program = (
        "import sys; from inference.audio.decode import decode; from inference.types import AudioLimits\n"
        "for line in sys.stdin: decode(bytes.fromhex(line), AudioLimits(), 16_000); print('av' in sys.modules)"
    )
    names = ("WAV", "WAV, A-law", "FLAC", "OGG, Opus", "RF64", "OGG, chained", "MP3")
    loaded = subprocess.run(
        [sys.executable, "-c", program],
        input="\n".join(FILES[name].hex() for name in names),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert dict(zip(names, loaded, strict=True)) == {name: str(name == "MP3") for name in names}


def test_there_is_a_file_for_each_row_of_the_table():
    assert {identify(data)[0].name for data in FILES.values()} == {container.name for container in CONTAINERS}


ASKED = ("MP3", "MP4", "M4A", "MOV", "3GP", "Matroska", "WebM, Opus", "WAV", "FLAC", "AAC", "AC3", "RF64")


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith(ASKED)])
def test_admission_is_told_how_long_it_is(name):
    if name in ("WAV, G.722", "WAV, MP3", "MP4, fragmented", "AAC"):  # a field left empty; frames of varying size
        assert estimate_seconds(FILES[name]) > 1
    else:
        assert estimate_seconds(FILES[name]) == pytest.approx(SECONDS, abs=0.2)


@pytest.mark.parametrize("name", FILES)
def test_admission_is_never_told_endless_or_nothing(name):
    assert 0.5 < estimate_seconds(FILES[name]) < 100
