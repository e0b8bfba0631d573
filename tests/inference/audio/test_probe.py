"""`python -m inference probe`: what files are, and what would happen to them."""

import json

import numpy as np
import pytest

from inference.audio.containers import CONTAINERS_TAKEN
from inference.audio.probe import Format, probe
from inference.cli import probing
from inference.types import AudioLimits
from tests.inference.audio.encoders import ffmpeg, id3
from tests.inference.audio.kinds import files_of_every_kind
from tests.samples import encode, tone, wav

FILES = files_of_every_kind()
CLIP = AudioLimits(overlength="clip")
REFUSED = (
    f"not audio: the first bytes (6e 6f 20 61 75 64 69 6f) are of no known container; {CONTAINERS_TAKEN} are taken"
)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_every_kind_is_known_and_counted(name):
    found = probe(FILES[name], CLIP)
    assert (found.fate, found.reason, found.warnings) == ("clip", "", ())
    assert found.counted == pytest.approx(4 if "chained" in name else 2, abs=0.12)
    assert found.announced is None or found.announced == pytest.approx(found.counted, abs=0.2)
    assert {each.channels for each in found.formats} <= {1, 2}


def test_tags_pieces_and_formats():
    found = probe(id3(100) + FILES["OGG, chained"] + b"TAG" + bytes(125), CLIP)
    assert (found.container, found.pieces, found.tags_before, found.tags_behind) == ("OGG", 2, 110, 128)
    assert found.formats == (Format("Opus", 16_000, 1), Format("Vorbis", 16_000, 1))


def test_what_is_announced_and_what_is_counted():
    lying = probe(wav(size=0xFFFFFFFF), CLIP)
    assert (lying.counted, lying.announced) == (0.5, 0.5)
    browser = probe(FILES["WebM, of a browser"], CLIP)
    assert browser.announced is None
    assert browser.counted == pytest.approx(2, abs=0.1)


def test_all_is_counted_and_a_part_heard():
    found = probe(encode(tone(3)), AudioLimits(overlength="clip", limit_seconds=2))
    assert (found.fate, found.reason, found.counted) == ("clip", "the first 2 s are heard", 3)


@pytest.mark.parametrize(
    ("data", "error", "container"),
    [
        (b"", "UndecodableAudio", ""),
        (b"MThd\0\0\0\6" + bytes(100), "UnsupportedCodec", ""),
        (wav(rate=4000), "AudioOutOfLimits", "WAV"),
        (encode(np.full(8000, np.nan), subtype="FLOAT"), "InvalidSamples", "WAV"),
        (FILES["MP4, index first"][:5000], "UndecodableAudio", "MP4"),
        (ffmpeg(tone(0.02), "au", "pcm_s16be"), "AudioTooShort", "AU"),
    ],
)
def test_what_would_be_refused_and_why(data, error, container):
    found = probe(data, CLIP)
    assert (found.fate, found.error, found.container) == ("refused", error, container)
    assert len(found.reason) > 10


def test_as_text_and_as_json(tmp_path, capsys):
    good, bad = tmp_path / "good.mp3", tmp_path / "bad.mp3"
    good.write_bytes(id3(100) + FILES["MP3"])
    bad.write_bytes(b"no audio")
    assert probing.run([str(good), str(bad), str(tmp_path / "missing")]) == 1
    assert capsys.readouterr().out.splitlines() == [
        str(good),
        "  container   MP3",
        "  codec       MP3 (MPEG audio layer 3), 16000 Hz, mono",
        "  duration    0:00:02.000 counted, 0:00:02.000 announced",
        "  tags        155 bytes before the sound and 0 behind it are stepped over",
        "  clip",
        str(bad),
        f"  refused     {REFUSED} (UndecodableAudio)",
        str(tmp_path / "missing"),
        f"  unreadable  [Errno 2] No such file or directory: '{tmp_path / 'missing'}'",
    ]
    assert probing.run(["--json", str(good)]) == 0
    assert json.loads(capsys.readouterr().out)["container"] == "MP3"


def test_what_is_longer_than_a_window_is_a_recording():
    assert probe(encode(tone(16)), AudioLimits()).fate == "recording"
    refused = probe(encode(tone(16)), AudioLimits(longest_seconds=15.5))
    assert (refused.fate, refused.error) == ("refused", "AudioTooLong")
