"""From inside a real lane: what a clip that took it over could do."""

import asyncio
import os
import socket
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from inference.confinement.confine import unguarded
from inference.loading import CACHE
from inference.package import load_package
from inference.recogniser import SessionOptions
from inference.task import Task
from inference.types import AudioLimits, Options
from inference.worker import Setup
from server.pool.process_lane import ProcessLane
from tests.packages import random_package
from tests.samples import CLIPS

MODEL = "model"

INSIDE = """
import ctypes, os, signal, socket, subprocess, sys, threading

secret, port = given
file, libc = os.open(os.__file__, os.O_RDONLY), ctypes.CDLL(None, use_errno=True)
tgkill, perf_event_open = {"x86_64": (234, 298), "aarch64": (131, 241)}[os.uname().machine]


def call(function, *arguments):
    if function(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "")


trials = {
    "read": lambda: open(secret),
    "shadow": lambda: open("/etc/shadow"),
    "list": lambda: os.listdir("/"),
    "environment of the parent": lambda: open(f"/proc/{os.getppid()}/environ"),
    "descriptors of the parent": lambda: os.listdir(f"/proc/{os.getppid()}/fd"),
    "create": lambda: open(secret + "2", "w"),
    "write": lambda: open(secret, "r+"),
    "append": lambda: os.open(secret, os.O_WRONLY | os.O_APPEND),
    "nameless file": lambda: os.open("/tmp", os.O_TMPFILE | os.O_RDWR),
    "truncate": lambda: os.truncate(secret, 0),
    "remove": lambda: os.unlink(secret),
    "rename": lambda: os.rename(secret, secret + "2"),
    "link": lambda: os.link(secret, secret + "2"),
    "directory": lambda: os.mkdir(secret + "2"),
    "rights": lambda: os.chmod(secret, 0o666),
    "rights of a descriptor": lambda: os.fchmod(file, 0o666),
    "memory of the parent": lambda: open(f"/proc/{os.getppid()}/mem", "r+b"),
    "socket": lambda: socket.create_connection(("127.0.0.1", port), 1),
    "UDP": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "pair": lambda: socket.socketpair(),
    "program": lambda: os.execv(sys.executable, [sys.executable, "-c", ""]),
    "shell": lambda: subprocess.run("true", shell=True),
    "fork": lambda: os.fork() or os._exit(0),
    "clone": lambda: call(libc.fork) or os._exit(0),
    "signal to the parent": lambda: os.kill(os.getppid(), 0),
    "signal to the group": lambda: os.kill(0, 0),
    "tgkill of the parent": lambda: call(libc.syscall, tgkill, os.getppid(), os.getppid(), 0),
    "ptrace of the parent": lambda: call(libc.ptrace, 16, os.getppid(), None, None),
    "limits of the parent": lambda: __import__("resource").prlimit(os.getppid(), 7),
    "mount": lambda: call(libc.mount, b"none", b"/tmp", b"tmpfs", 0, None),
    "namespace": lambda: call(libc.unshare, 0x10000000),
    "perf": lambda: call(libc.syscall, perf_event_open, None, 0, -1, -1, 0),
}
refused = []


def attempt():
    for name, trial in trials.items():
        try:
            trial()
        except OSError:
            refused.append(name)


thread = threading.Thread(target=attempt)
thread.start()
thread.join()
status = dict(line.rstrip().partition(":\\t")[::2] for line in open("/proc/self/status"))
limits = {line[:25].strip(): line[26:].split()[1] for line in open("/proc/self/limits")}
result = {
    "left": sorted(set(trials) - set(refused)),
    "status": [status["NoNewPrivs"], status["Seccomp"]],
    "limits": [limits["Max core file size"], limits["Max open files"]],
}
"""


def setup_of(cache, **packages):
    packages = {name: load_package(directory) for name, directory in packages.items()}
    return Setup(packages, 2, "auto", SessionOptions(threads=1), AudioLimits(), cache, os.getpid())


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """As gunicorn.conf.py has it: Landlock spares threads that run already."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")


@asynccontextmanager
async def lane_of(setup):
    lane = ProcessLane(setup)
    try:
        async with asyncio.timeout(300):
            yield lane, await lane.start(MODEL)
    finally:
        await lane.close()


async def inside(lane, source, *given):
    """What a lane that was taken over finds out: `result` of a program that runs there."""
    expression = "(exec(source, (space := {'given': given})), space['result'])[1]"
    return await lane._submit(eval, expression, {"source": source, "given": given})


@pytest.mark.parametrize("threads", [1, 2])
def test_a_lane_writes_nothing_calls_nobody_and_starts_nothing(model_directory, tmp_path, threads):
    if missing := unguarded():
        pytest.skip(f"this kernel has no {', '.join(missing)}")
    secret = tmp_path / "keys.json"
    secret.write_text("{}")

    async def attempts():
        setup = setup_of(CACHE, model=model_directory)
        async with lane_of(replace(setup, session_options=SessionOptions(threads))) as (lane, ready):
            assert ready.unguarded == ()
            return await inside(lane, INSIDE, str(secret), port)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        found = asyncio.run(attempts())
    assert found == {"left": [], "status": ["1", "2"], "limits": ["0", "64"]}
    assert secret.read_text() == "{}"


def test_a_lane_hears_a_file_that_it_could_not_open(model_directory, tmp_path, pipeline):
    clip = tmp_path / "clip"
    clip.write_bytes(CLIPS[0].read_bytes())

    async def heard():
        async with lane_of(setup_of(CACHE, model=model_directory)) as (lane, _):
            return await lane.call(Task("transcribe", MODEL, clip, Options(), time.monotonic() + 100)).answer

    assert asyncio.run(heard()).text == pipeline.transcribe(clip).text


@pytest.mark.measuring
def test_a_further_model_is_prepared_for_a_lane_that_cannot(model_directory, tmp_path):
    other = random_package(model_directory, tmp_path / "other", name="other", language="ta", seed=1)
    cache = tmp_path / "cache"

    async def loads():
        async with lane_of(setup_of(cache, model=model_directory, other=other)) as (lane, first):
            process = lane.pid
            ready = await lane.load("other")
            assert lane.pid == process
            return first, ready

    first, ready = asyncio.run(loads())
    assert (first.prepared, first.warnings) == (ready.prepared, ready.warnings) == (True, ())
    assert ready.loaded == (MODEL, "other")


@pytest.mark.measuring
def test_where_nothing_can_be_prepared_the_reason_is_told_and_asked_for_once(model_directory, tmp_path, monkeypatch):
    no_cache = tmp_path / "file"
    no_cache.touch()
    other = random_package(model_directory, tmp_path / "other", name="other", language="ta", seed=1)
    asked = []
    prepare = ProcessLane._prepare
    monkeypatch.setattr(ProcessLane, "_prepare", lambda lane, model: (asked.append(model), prepare(lane, model))[1])

    async def loads():
        setup = replace(setup_of(no_cache, model=model_directory, other=other), models_loaded=1)
        async with lane_of(setup) as (lane, first):
            return first, *[await lane.load(model) for model in ("other", MODEL, "other")]

    readies = asyncio.run(loads())
    assert asked == ["other"]
    for ready in readies:
        (warning,) = ready.warnings
        assert warning.endswith(f"File exists: '{no_cache}'")
