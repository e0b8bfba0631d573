"""`python -m inference` and recordings that are very long, heard in part, or not whole: what is told of them."""

import contextlib
import json
import os
import pty
import struct
import subprocess
import sys

import pytest
import soundfile

from inference.cli import probing, transcribing
from inference.cli.limits import BOUNDS
from tests.inference.audio.encoders import ffmpeg
from tests.samples import CLIPS, tone

TOLD = "The recording is cut off at its end; what arrived whole was taken."
CLIPPED = "Only the beginning was heard, up to --limit-seconds."
HOURS = 5


@pytest.fixture
def half(tmp_path):
    """Of a recording that lost its end on the way."""
    samples, rate = soundfile.read(CLIPS[1])
    data = ffmpeg(samples, "caf", "pcm_s16le", rate)
    path = tmp_path / "half.caf"
    path.write_bytes(data[: len(data) // 2])
    return path


@pytest.fixture
def long(tmp_path):
    """WebM of 16 s that says it lasts hours: a Matroska element of eight bytes (RFC 9559, Duration, in ms)."""
    data = bytearray(ffmpeg(0.1 * tone(16, 48_000), "webm", "libopus", 48_000))
    place = data.index(b"\x44\x89\x88") + 3
    data[place : place + 8] = struct.pack(">d", HOURS * 3_600_000)
    path = tmp_path / "long.webm"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
def test_half_a_text_comes_with_a_word(transcribe, half, quiet):
    code, printed, told = transcribe(half, *quiet)
    assert (code, told) == (0, f"{half}: {TOLD}\n")
    assert len(printed.split("\n")) == 2


def test_what_was_clipped_is_told(transcribe):
    code, _, told = transcribe("--overlength", "clip", "--limit-seconds", 1, CLIPS[0])
    assert (code, told) == (0, f"{CLIPS[0]}: {CLIPPED}\n")


def test_files_of_text_have_no_place_for_warnings_either(transcribe, half, tmp_path):
    _, _, told = transcribe(half, "--out", tmp_path / "out", "--overlength", "clip", "--limit-seconds", 0.5)
    assert f"{half}: {CLIPPED}\n" in told
    _, _, told = transcribe(half, "--out", tmp_path / "out", "--overwrite")
    assert f"{half}: {TOLD}\n" in told


def test_json_has_its_warnings_in_itself(transcribe, half, tmp_path):
    _, printed, told = transcribe(half, "--json")
    assert (json.loads(printed)["warnings"], told) == ([TOLD], "")
    _, _, told = transcribe(half, "--json", "--out", tmp_path / "out")
    assert told == ""
    assert json.loads((tmp_path / "out/half.json").read_text())["warnings"] == [TOLD]


def test_a_warning_stands_on_a_line_of_its_own_beside_the_bar(model_directory, half):
    terminal, inside = pty.openpty()
    command = [sys.executable, "-m", "inference", "--model", str(model_directory), str(half), str(CLIPS[0])]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=inside)
    os.close(inside)
    shown = b""
    with contextlib.suppress(OSError), os.fdopen(terminal, "rb", buffering=0) as stream:  # EIO marks its end
        while chunk := stream.read(4096):
            shown += chunk
    lines = [line.rpartition("\r")[2].rstrip("\r") for line in shown.decode().replace("\r\n", "\n").split("\n")]
    assert f"{half}: {TOLD}" in lines


def test_hours_are_taken(transcribe, long, capsys):
    code, _, told = transcribe("--decoding", "greedy", long)
    assert (code, told) == (0, "")
    assert probing.run(["--json", str(long)]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["fate"], row["announced"]) == ("recording", HOURS * 3600)


@pytest.mark.parametrize("command", [transcribing.run, probing.run])
def test_the_help_says_what_bounds_audio(command, capsys):
    with pytest.raises(SystemExit):
        command(["--help"])
    assert " ".join(BOUNDS.split()) in " ".join(capsys.readouterr().out.split())
    for bound in ("any length", "8000 Hz", "96000 Hz", "32 channels", "4 s and 0.1"):
        assert bound in BOUNDS
