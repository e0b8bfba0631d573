"""`python -m inference` over many files: where they are found, where results go, several processes, interrupted."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import PurePath

import numpy as np
import psutil
import pytest
import soundfile

from inference.audio.containers import CONTAINERS
from inference.cli.outputs import Files
from inference.cli.sources import ENDINGS, Search, Source
from inference.types import Segment, Transcript
from tests.samples import CLIPS, encode, wav

FOLDER = ["a.wav", "b/c.wav", "b/d.flac"]


@pytest.fixture
def folder(tmp_path):
    """Three copies of a clip, as files of other names, and what is no audio."""
    folder = tmp_path / "in"
    (folder / "b").mkdir(parents=True)
    for name in FOLDER:
        shutil.copy(CLIPS[1], folder / name)
    (folder / "a.txt").write_text("no audio")
    (folder / "b" / "empty.bin").touch()
    return folder


def found(*arguments):
    with Search([str(argument) for argument in arguments]) as search:
        return [(source.name, str(source.beneath), source.fault) for source in search.sources()], search.passed_over


def test_a_folder_is_searched_for_what_is_audio_by_its_bytes(folder):
    assert found(folder) == ([(str(folder / name), name, "") for name in FOLDER], 2)


@pytest.mark.parametrize(
    ("pattern", "names", "beneath"),
    [
        ("*", FOLDER, FOLDER),
        ("*.wav", FOLDER[:1], FOLDER[:1]),
        ("**/*.wav", ["a.wav", "b/c.wav"], ["a.wav", "b/c.wav"]),
        ("b/*.flac", ["b/d.flac"], ["d.flac"]),
    ],
)
def test_a_quoted_glob_is_what_a_shell_makes_of_it(folder, pattern, names, beneath):
    expected = [(str(folder / name), below, "") for name, below in zip(names, beneath, strict=True)]
    sources, _ = found(folder / pattern)
    assert [source for source in sources if "a.txt" not in source[0]] == expected


def test_a_name_that_looks_like_a_glob_is_a_name(tmp_path):
    (tmp_path / "a[1].wav").write_bytes(wav())
    assert found(tmp_path / "a[1].wav")[0] == [(str(tmp_path / "a[1].wav"), "a[1].wav", "")]


def test_what_is_not_there_is_told(tmp_path):
    (tmp_path / "folder/inner").mkdir(parents=True)
    sources, _ = found(tmp_path, tmp_path / "*.wav", f"{tmp_path}/**/", tmp_path / "folder/**")
    assert [fault for _, _, fault in sources] == ["there is no audio in this folder", *["no file has such a name"] * 3]


@pytest.mark.parametrize(
    "name", ["call.3gp", "film.MP4", "phone.mov", "film.mkv", "voice.awb", "note.spx", "a.w64", "a.tta", "a.ac3"]
)
@pytest.mark.parametrize("content", [b"", b"no audio at all"])
def test_what_is_called_audio_is_not_passed_over(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert found(tmp_path) == ([(str(tmp_path / name), name, "")], 0)


def test_each_kind_that_is_taken_has_names():
    assert list(ENDINGS) == [container.name for container in CONTAINERS]


def test_what_is_called_audio_and_is_none_is_a_failure(transcribe, folder):
    (folder / "call.3gp").touch()
    (folder / "voice.awb").write_bytes(b"#!AMR-WB\n" + b"no audio at all")
    code, printed, told = transcribe(folder)
    assert (code, len(printed.splitlines())) == (1, len(FOLDER))
    assert "call.3gp: not audio" in told
    assert "voice.awb: " in told


def test_each_file_once(folder):
    assert found(folder, folder / "a.wav", folder / "**/*.flac")[0] == found(folder)[0]


def test_a_pipe_is_read_to_its_end(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(wav(),))
    writer.start()
    with Search([str(pipe)]) as search:
        (source,) = search.sources()
        assert source.path.read_bytes() == wav()
    writer.join()
    assert not source.path.exists()


def test_standard_input(model_directory, library_texts):
    command = [sys.executable, "-m", "inference", "--model", str(model_directory), "--json", "-"]
    finished = subprocess.run(command, input=CLIPS[0].read_bytes(), capture_output=True, check=True)
    row = json.loads(finished.stdout)
    assert (row["file"], row["text"]) == ("-", library_texts[CLIPS[0]])
    assert [segment["text"] for segment in row["segments"]] == [row["text"]]


def test_a_file_for_each_input(transcribe, folder, tmp_path, library_texts):
    out = tmp_path / "out"
    (folder / "b" / "cut.wav").write_bytes(wav()[:-1000])
    (folder / "b" / "empty.MP3").touch()
    code, printed, told = transcribe(folder, "--out", out)
    assert (code, printed) == (1, "")
    assert {str(path.relative_to(out)) for path in out.rglob("*.*")} == {"a.txt", "b/c.txt", "b/d.txt"}
    assert (out / "b/d.txt").read_text() == library_texts[CLIPS[1]] + "\n"
    assert "cut.wav: WAV: the header announces" in told
    assert "5 files, 2 failed, 2 that are no audio passed over; " in told
    assert "empty.MP3: " in told


def test_results_that_are_there_are_kept_unless_they_are_to_be_overwritten(transcribe, folder, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.json").write_text("mine")
    _, _, told = transcribe(folder, "--out", out, "--json")
    assert (out / "a.json").read_text() == "mine"
    assert "1 skipped, whose results are there" in told
    assert transcribe(folder, "--out", out, "--json", "--overwrite")[0] == 0
    assert json.loads((out / "a.json").read_text())["file"] == str(folder / "a.wav")


def test_names_that_differ_in_their_ending_alone(transcribe, folder, tmp_path):
    shutil.copy(CLIPS[1], folder / "a.flac")
    shutil.copy(CLIPS[1], tmp_path / "a.flac")
    out = tmp_path / "out"
    assert transcribe(folder / "a.*", "--out", out)[0] == 1  # a.txt is no audio
    assert {path.name for path in out.iterdir()} == {"a.wav.txt", "a.flac.txt"}
    code, _, told = transcribe(folder / "a.flac", tmp_path / "a.flac", "--out", out)
    assert code == 2
    assert "would both become a.flac.txt: give their folder instead" in told


def test_a_disk_that_cannot_be_written_ends_it(transcribe, folder, tmp_path):
    (tmp_path / "out").touch()
    code, _, told = transcribe(folder, "--out", tmp_path / "out")
    assert code == 2
    assert "Not a directory" in told or "File exists" in told


def test_several_processes_keep_the_order(transcribe, tmp_path, library_texts):
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"no audio")
    code, printed, told = transcribe(CLIPS[0], "--jobs", 2, bad, *CLIPS[1:])
    assert code == 1
    assert printed.splitlines() == [f"{path}\t{library_texts[path]}" for path in CLIPS]
    assert f"{bad}: not audio" in told


def test_nothing_to_do_for_several_processes(transcribe, tmp_path):
    assert transcribe("--jobs", 2, tmp_path, tmp_path / "*.wav")[0] == 1
    with pytest.raises(SystemExit):
        transcribe("--jobs", 0, tmp_path)
    with pytest.raises(SystemExit):
        transcribe("--channels", "0,-1", tmp_path)


@pytest.fixture
def interruptible():
    """What is started in the background of a shell, as these tests may be, ignores Ctrl-C, and so do its children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def interrupt():
    """A function that interrupts this thread some hundredths of a second later, as Ctrl-C does."""
    me, chance = threading.get_ident(), random.Random(1)
    before = signal.signal(signal.SIGUSR1, signal.default_int_handler)
    yield lambda: threading.Timer(chance.uniform(0, 0.02), signal.pthread_kill, (me, signal.SIGUSR1)).start()
    signal.signal(signal.SIGUSR1, before)


# Between `open` and `with` it leaves closing the file to the interpreter, which says so.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_moment_leaves_a_whole_file_or_none(tmp_path, interrupt):
    source = Source("a.wav", CLIPS[0], PurePath("a.wav"))
    output = Files(tmp_path, [source], as_json=False, overwrite=True)
    transcript = Transcript((Segment("क" * 1000, 0.0, 1.0),), "hi", "model", 1.0, 1.0, clipped=False, stages=())
    for _ in range(200):
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012
            interrupt()
            while True:
                output.take(0, source, transcript)
        assert {path.name for path in tmp_path.iterdir()} <= {"a.txt"}
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == transcript.text + "\n"


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_leaves_nothing_half_done(model_directory, tmp_path):
    out, folder = tmp_path / "out", tmp_path / "in"
    folder.mkdir()
    for number in range(2000):
        (folder / f"{number:04}.wav").symlink_to(CLIPS[0])
    command = [sys.executable, "-m", "inference", "--model", str(model_directory), "--jobs", "2", "--out", str(out)]
    running = subprocess.Popen([*command, str(folder)], stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not out.exists() or not list(out.iterdir()):
        assert running.poll() is None
        time.sleep(0.02)
    children = psutil.Process(running.pid).children(recursive=True)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to all
    _, told = running.communicate()
    assert running.returncode == 130
    assert "Traceback" not in told
    assert " of 2000 files, 0 failed; " in told.splitlines()[-1]
    assert not psutil.wait_procs(children, timeout=10)[1]
    assert all(path.suffix == ".txt" and path.read_text().endswith("\n") for path in out.iterdir())
    assert len(list(out.iterdir())) < 2000


def test_a_reader_that_has_seen_enough(model_directory):
    command = [sys.executable, "-m", "inference", "--model", str(model_directory), *map(str, CLIPS)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    running.stdout.close()
    assert running.wait() == 128 + signal.SIGPIPE
    assert "Traceback" not in running.stderr.read()
    running.stderr.close()


def test_channels_apart(transcribe, tmp_path, library_texts):
    one, other = (soundfile.read(path)[0] for path in CLIPS[:2])
    samples = np.zeros((one.size + other.size, 2))
    samples[: one.size, 0], samples[one.size :, 1] = one, other
    (tmp_path / "call.wav").write_bytes(encode(samples))
    code, printed, _ = transcribe("--channels", "separate", "--json", tmp_path / "call.wav", "--words")
    assert code == 0
    segments = json.loads(printed)["segments"]
    assert [(each["channel"], each["text"]) for each in segments] == [
        (0, library_texts[CLIPS[0]]),
        (1, library_texts[CLIPS[1]]),
    ]
    assert [word["word"] for word in segments[0]["words"]] == library_texts[CLIPS[0]].split()
    assert all(0 < word["confidence"] <= 1 for word in segments[0]["words"])


def test_names_that_are_long_or_no_text(transcribe, folder, tmp_path):
    for name in ("अ" * 83 + ".wav", os.fsdecode(b"caf\xe9.wav")):
        shutil.copy(CLIPS[1], folder / name)
    out = tmp_path / "out"
    assert transcribe(folder, "--out", out, "--json")[0] == 0
    assert len(list(out.rglob("*.json"))) == len(FOLDER) + 2
    assert json.loads((out / os.fsdecode(b"caf\xe9.json")).read_text())["file"] == os.fsdecode(
        os.fsencode(folder) + b"/caf\xe9.wav"
    )


def test_a_folder_without_audio_and_files_to_write(transcribe, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    code, _, told = transcribe(".", "--out", tmp_path / "out")
    assert code == 1
    assert "Traceback" not in told
