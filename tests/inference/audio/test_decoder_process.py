"""Recordings decoded in a process of their own: the same windows, and whatever becomes of it harms nothing else."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import uvloop

from inference.audio import decoder_main, frames
from inference.audio.decoder_process import DecoderProcess
from inference.audio.decoder_start import Work
from inference.audio.recording import End, read_windows
from inference.audio.windows import Window
from inference.confinement.confine import unguarded
from inference.errors import AudioTooCostly, AudioTooLong, DeadlineExceeded, DecoderDied, InputError, UndecodableAudio
from inference.types import AudioLimits, Features, Options, Span
from tests.inference.audio.encoders import ffmpeg
from tests.samples import encode, noise, wav

LIMITS, OPTIONS = AudioLimits(detect_speech=False), Options()  # tones and noises are what is heard here
LONG = encode(noise(120))


async def heard(audio, options=OPTIONS, limits=LIMITS, *, after_first=lambda _: None, **bounds):
    """All windows, and the process; `after_first` is called once, with the process."""
    windows = []
    async with DecoderProcess(Work(audio, limits, options), **bounds) as process:
        async for window in process:
            if not windows:
                after_first(process)
            windows.append(window)
    return windows, process


def run(*arguments, **options):
    return asyncio.run(heard(*arguments, **options))


@pytest.mark.parametrize(("kind", "loop"), [("WAV, by its name", asyncio), ("MP3", uvloop)])
def test_the_same_windows_as_in_this_process(tmp_path, kind, loop):
    stereo = np.stack([noise(40), noise(40, seed=1)], axis=1)
    audio = ffmpeg(stereo, "mp3", "libmp3lame") if kind == "MP3" else tmp_path / "a.wav"
    if kind != "MP3":
        audio.write_bytes(encode(stereo))
    options = Options(channels="separate")
    *expected, end = read_windows(audio, LIMITS, options)
    windows, process = loop.run(heard(audio, options))
    assert process.end == end
    assert len(windows) == len(expected) >= 6
    for ours, theirs in zip(windows, expected, strict=True):
        assert (ours.channel, ours.start, ours.owned) == (theirs.channel, theirs.start, theirs.owned)
        np.testing.assert_array_equal(ours.features.log_mel, theirs.features.log_mel)
        np.testing.assert_array_equal(ours.features.power, theirs.features.power)


def test_what_is_wrong_with_the_file_is_raised_here():
    for audio in (b"", b"no sound at all", LONG[:100_000], wav(channels=33)):
        with pytest.raises(InputError) as here:
            list(read_windows(audio, LIMITS, OPTIONS))
        with pytest.raises(type(here.value), match=r"^.{10}") as there:
            run(audio)
        assert str(there.value) == str(here.value)
    with pytest.raises(AudioTooLong, match="120 s; 60 s"):
        run(LONG, limits=AudioLimits(longest_seconds=60))
    with pytest.raises(FileNotFoundError):
        run(Path("/nowhere.wav"))


@pytest.mark.parametrize(
    ("sent", "error", "detail"),
    [
        (signal.SIGKILL, DecoderDied, "SIGKILL"),
        (signal.SIGHUP, DecoderDied, "SIGHUP"),
        (signal.SIGSEGV, UndecodableAudio, r"crashed on it \(SIGSEGV\)"),
        (signal.SIGPROF, AudioTooCostly, "processor time"),
    ],
)
def test_what_ended_it_is_told_apart(sent, error, detail):
    with pytest.raises(error, match=detail):
        run(LONG, after_first=lambda process: os.kill(process.pid, sent))


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_signals_to_the_whole_group_are_the_parents(sent):
    async def pestered():
        async with DecoderProcess(Work(LONG, LIMITS, OPTIONS)) as process:
            os.kill(process.pid, sent)  # before its first line
            await anext(process)
            os.kill(process.pid, sent)
            assert len([window async for window in process]) > 6
            assert process.end == End(120.0, clipped=False)

    uvloop.run(pestered())


def test_one_that_stands_still_is_ended():
    pids = []

    def stop(process):
        process._patience = 0.2
        pids.append(process.pid)
        os.kill(process.pid, signal.SIGSTOP)

    with pytest.raises(DecoderDied, match=r"no sign of life for 0\.2 s"):
        run(LONG, after_first=stop)
    assert not Path(f"/proc/{pids[0]}").exists()


def test_memory_is_bounded():
    # Features of a window of 50 minutes are 97 MB, and are copied more than once.
    with pytest.raises(AudioTooCostly, match="256 MiB of memory"):
        run(telephone(50), limits=AudioLimits(window_seconds=3_000.0, detect_speech=False))


def test_processor_time_is_bounded():
    with pytest.raises(AudioTooCostly, match="processor time"):
        run(LONG, limits=AudioLimits(decode_seconds=0.0))


def test_the_deadline():
    with pytest.raises(DeadlineExceeded):
        run(LONG, deadline=time.monotonic() - 1)


def test_who_does_not_read_holds_it_back():
    """Or else it would have ended long ago: this is decoded in some 20 ms."""

    async def slow():
        async with DecoderProcess(Work(LONG, LIMITS, OPTIONS)) as process:
            await anext(process)
            await asyncio.to_thread(until_asleep, process.pid)
            assert len([window async for window in process]) > 6

    asyncio.run(slow())


def test_leaving_early_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    pids = []

    async def leave(how):
        async with DecoderProcess(Work(LONG, LIMITS, OPTIONS)) as process:
            pids.append(process.pid)
            await anext(process)
            if how == "cancelled":
                await asyncio.sleep(60)
            raise how

    async def go():
        before = _descriptors()
        with pytest.raises(KeyError):
            await leave(KeyError)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(leave("cancelled"), 1)
        with pytest.raises(InputError):
            await heard(b"junk")
        await asyncio.sleep(0)
        assert _descriptors() == before

    asyncio.run(go())
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert not list(tmp_path.iterdir())


def test_it_dies_with_its_parent():
    program = (
        "import asyncio, os; from inference.audio.decoder_process import *; from tests.samples import *\n"
        "from inference.types import *\n"
        "async def main():\n"
        "    work = Work(encode(noise(120)), AudioLimits(detect_speech=False), Options())\n"
        "    async with DecoderProcess(work) as process:\n"
        "        await anext(process); print(process.pid, flush=True)\n"
        "        os.kill(process.pid, 19); os.kill(os.getpid(), 9)\n"  # a stopped one cannot find its pipe closed
        "asyncio.run(main())"
    )
    parent = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=False)
    pid = int(parent.stdout)
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists() or _state(pid) == "Z":
            return
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("it lives on")


def test_nothing_of_the_environment_and_no_descriptor_but_its_own(monkeypatch):
    monkeypatch.setenv("ASR_SECRET", "password")
    seen = {}

    def look(process):
        proc = Path(f"/proc/{process.pid}")
        seen["environment"] = proc.joinpath("environ").read_bytes()
        seen["descriptors"] = {path.readlink().name for path in proc.joinpath("fd").iterdir()}
        seen["status"] = dict(line.split(":\t") for line in proc.joinpath("status").read_text().splitlines())

    _, process = run(LONG, after_first=look)
    assert b"password" not in seen["environment"]
    # The recording, the pipe, and what a test process has for its errors.
    assert len([name for name in seen["descriptors"] if "memfd" in name or "pipe" in name]) <= 3
    assert len(seen["descriptors"]) <= 3
    if missing := unguarded():
        pytest.skip(f"this kernel has no {', '.join(missing)}")
    assert process.unguarded == ()
    assert (seen["status"]["Seccomp"], seen["status"]["NoNewPrivs"], seen["status"]["Threads"]) == ("2", "1", "1")


def test_memory_does_not_grow_with_the_recording(tmp_path):
    async def peak(minutes):
        path = tmp_path / f"{minutes}.wav"
        path.write_bytes(telephone(minutes))
        highest = 0.0
        async with DecoderProcess(Work(path, LIMITS, OPTIONS)) as process:
            async for _ in process:
                highest = max(highest, _peak_mib(process.pid))
        assert process.end.duration == minutes * 60
        return highest

    short, long = (asyncio.run(peak(minutes)) for minutes in (5, 40))
    assert long - short < 5, (short, long)


def test_what_a_bug_says_is_not_told_to_strangers():
    """It may name files of this machine; where it happened is enough to find it."""
    try:
        Path("/secret/model.onnx").stat()
    except OSError as error:
        told = decoder_main._reportable(error)
    assert isinstance(told, DecoderDied)
    assert "secret" not in told.detail
    assert "FileNotFoundError at " in told.detail


WINDOW = Window(Features(np.zeros((80, 10), np.float32), np.zeros(10, np.float32)), None, 1.0, Span(1.0, 1.1))


@pytest.mark.parametrize(
    "frame",
    [
        frames.HEAD.pack(b"Z", 3),
        frames.HEAD.pack(b"W", 1 << 30),
        frames.HEAD.pack(b"E", 1 << 20),
        frames.encode(WINDOW)[:5] + b"\xff\x00\x00\x80" + frames.encode(WINDOW)[9:],
        frames.encode(WINDOW).replace(bytes(3240), b"\xff" * 3240),
        frames.encode(Window(WINDOW.features, None, float("nan"), Span(1, 2))),
        frames.HEAD.pack(b"W", 30) + bytes(30),
        frames.HEAD.pack(b"W", 28 + 4 * 80) + bytes(28 + 4 * 80),  # no whole frame
        frames.HEAD.pack(b"E", 4) + b"null",
        frames.encode(End(float("inf"), False)),
        frames.encode(End(1.0, False)).replace(b"[]", b"{}"),
        *(frames.encode(End(1.0, False, channels=channels)) for channels in (0, -1, 33, 1.5)),
        frames.encode(UndecodableAudio("x")).replace(b"UndecodableAudio", b"SystemExit000000"),
        frames.HEAD.pack(b"X", 60_000) + b"[" * 60_000,
        frames.HEAD.pack(b"X", 3) + b"\xff\xfe\xfd",
    ],
)
def test_nonsense_in_the_pipe_is_refused(frame):
    def read():
        kind, size = frames.announced(frame[:5], LIMITS, 80)
        assert len(frame) == 5 + size
        frames.decode(kind, frame[5:], LIMITS, 80)

    with pytest.raises(DecoderDied, match="never writes"):
        read()


def telephone(minutes):
    """µ-law at 8 kHz: quickly made and quickly decoded."""
    second = np.random.default_rng(0).integers(0, 256, 8_000, np.uint8).tobytes()
    return wav(second * (60 * minutes), codec=7, rate=8_000, bits=8)


def _state(pid):
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def _descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def until_asleep(pid):
    """Whatever the machine is busy with: a process that has ended has no state, or Z."""
    looks = 0
    while looks < 3:
        time.sleep(0.1)
        state = _state(pid)
        assert state in "RSD"
        looks = looks + 1 if state == "S" else 0


def _peak_mib(pid):
    try:
        status = dict(line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    except FileNotFoundError:  # it has ended: what it has written may be read later
        return 0.0
    return int(status.get("VmHWM", "0").split()[0]) / 1024
