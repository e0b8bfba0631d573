"""`python -m inference`, run as a user runs it."""

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
import termios
from datetime import timedelta

import pytest

from inference.cli import transcribing
from tests.samples import CLIPS, encode, seconds_of, tone


@pytest.fixture
def run(model_directory):
    def run(*arguments, **options):
        command = [
            sys.executable,
            "-m",
            "inference",
            "--model",
            str(model_directory),
            "--threads",
            "1",
            *map(str, arguments),
        ]
        return subprocess.run(command, text=True, check=False, **{"capture_output": True, **options})

    return run


@pytest.fixture
def bad_file(tmp_path):
    path = tmp_path / "bad.wav"
    path.write_bytes(b"not audio at all")
    return path


def test_one_file_gives_its_text_alone(run, library_texts):
    finished = run(CLIPS[0])
    assert (finished.stdout, finished.returncode) == (library_texts[CLIPS[0]] + "\n", 0)
    assert finished.stderr == ""


def test_a_cache_that_cannot_be_written_is_told(run, library_texts, bad_file):
    finished = run("--cache", bad_file, "--precision", "fp32", CLIPS[0])
    assert (finished.stdout, finished.returncode) == (library_texts[CLIPS[0]] + "\n", 0)
    assert str(bad_file) in finished.stderr


def test_several_files_give_their_names_too(run, library_texts):
    finished = run(*CLIPS)
    assert finished.stdout.splitlines() == [f"{path}\t{library_texts[path]}" for path in CLIPS]
    assert finished.returncode == 0


def test_json_lines(run, library_texts):
    finished = run("--json", *CLIPS[:2])
    first, second = map(json.loads, finished.stdout.splitlines())
    assert first["file"] == str(CLIPS[0])
    assert first["text"] == library_texts[CLIPS[0]]
    assert second["language"] == "hi"
    assert set(second["timings"]) == {"decode", "features", "speech", "inference", "decoding"}
    assert "\\u" not in finished.stdout


def test_a_bad_file_is_named_and_the_others_are_done(run, bad_file, library_texts):
    finished = run(bad_file, CLIPS[0])
    assert finished.stdout == f"{CLIPS[0]}\t{library_texts[CLIPS[0]]}\n"
    told, summary = finished.stderr.splitlines()
    assert told.startswith(f"{bad_file}: not audio")
    assert re.fullmatch(r"2 files, 1 failed; 0:00:03 of audio in \d:\d\d:\d\d, [\d.]+ × real time", summary)
    assert finished.returncode == 1


def test_a_missing_file(run, tmp_path):
    finished = run("--json", tmp_path / "missing.wav")
    assert "No such file" in json.loads(finished.stdout)["error"]
    assert finished.returncode == 1


def test_a_missing_model(run, tmp_path):
    finished = run("--model", tmp_path, CLIPS[0])
    assert "python -m export nemo" in finished.stderr
    assert len(finished.stderr.splitlines()) == 1
    assert finished.returncode == 2


def test_limits_are_options(run, tmp_path):
    path = tmp_path / "long.wav"
    path.write_bytes(encode(tone(3)))
    clipped = json.loads(run("--json", "--limit-seconds", "2", "--overlength", "clip", path).stdout)
    assert (clipped["clipped"], clipped["duration"]) == (True, 3.0)
    assert clipped["warnings"] == []
    refused = run("--limit-seconds", "2", "--overlength", "reject", path)
    assert "longer than 2 s" in refused.stderr
    assert refused.returncode == 1


@pytest.mark.parametrize("seconds", ["inf", "nan", "0", "-1", "a"])
def test_a_limit_that_is_none_is_refused(run, seconds):
    finished = run("--overlength", "clip", "--limit-seconds", seconds, CLIPS[0])
    assert "--limit-seconds" in finished.stderr.splitlines()[-1]
    assert finished.returncode == 2


@pytest.mark.parametrize(
    ("option", "given", "wanted"),
    [
        ("--channels", "abc", "'abc' is not mix, separate, or numbers from 0 with commas, as 0,1"),
        ("--channels", "0,-1", "'0,-1' is not mix, separate"),
        ("--jobs", "0", "'0' is no whole number from 1"),
        ("--threads", "two", "'two' is no whole number from 1"),
        ("--limit-seconds", "a", "'a' is no number of seconds from 0.1"),
    ],
)
def test_what_is_wanted_of_an_option_is_said(capsys, option, given, wanted):
    with pytest.raises(SystemExit):
        transcribing.run([option, given, str(CLIPS[0])])
    assert f"argument {option}: {wanted}" in capsys.readouterr().err


def test_quiet(run):
    assert run("--quiet", *CLIPS[:2]).stderr == ""


def test_a_progress_bar_on_a_terminal(run):
    terminal, inside = pty.openpty()
    termios.tcsetwinsize(inside, (24, 80))
    finished = run(*CLIPS[:2], capture_output=False, stdout=subprocess.PIPE, stderr=inside)
    os.close(inside)
    shown = b""
    with contextlib.suppress(OSError), os.fdopen(terminal, "rb", buffering=0) as stream:  # EIO marks its end
        while chunk := stream.read(4096):
            shown += chunk
    seconds = timedelta(seconds=round(sum(map(seconds_of, CLIPS[:2]))))
    assert f"2/2 files, {seconds} of {seconds}, ".encode() in shown
    assert "× real time".encode() in shown
    assert len(finished.stdout.splitlines()) == 2
