"""From inside: a process that was confined opens nothing, calls nobody, starts nothing, and still computes."""

import ctypes
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from inference.audio.decode import decode
from inference.confinement.confine import unguarded
from inference.errors import InputError
from inference.types import AudioLimits
from tests.inference.audio.encoders import ffmpeg, film_with_attachments, film_with_subtitles
from tests.inference.audio.kinds import files_of_every_kind
from tests.samples import tone

LANDLOCK, SECCOMP = "landlock.allow_reading_alone", "seccomp.allow_computing_alone"

CHILD = """
import json, os, signal, socket, sys
import numpy as np
from inference.confinement import confine, landlock, seccomp

victim, guards = sys.argv[1], sys.argv[2:]
for guard in guards:
    module, _, name = guard.partition(".")
    setattr(globals()[module], name, lambda *_: False)


def fork():
    if not os.fork():
        os._exit(0)


mine = os.memfd_create("x")
os.write(mine, b"sound")
unguarded = confine.confine_decoder(64 << 20, 60)
trials = {
    "open": lambda: open(victim),
    "create": lambda: os.open(victim + "2", os.O_CREAT | os.O_WRONLY),
    "remove": lambda: os.unlink(victim),
    "list": lambda: os.listdir("/"),
    "socket": lambda: socket.socket(),
    "UDP": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "pair": lambda: socket.socketpair(),
    "execute": lambda: len(guards) == 2 or os.execv(sys.executable, [sys.executable, "-c", ""]),
    "fork": fork,
    "signal": lambda: os.kill(os.getppid(), 0),
    "file in memory": lambda: os.memfd_create("y"),
    "pipe": lambda: os.pipe(),
    "processors": lambda: os.sched_setaffinity(0, os.sched_getaffinity(0)),
    "memory": lambda: np.ones(200 << 20, np.uint8),
}
refused = []
for name, trial in trials.items():
    try:
        trial()
    except (OSError, MemoryError):
        refused.append(name)
read = os.pread(mine, 5, 0).decode()
computed = float(np.square(np.ones(1024)).sum())
print(json.dumps({"unguarded": unguarded, "refused": refused, "left": sorted(set(trials) - set(refused)),
                  "read": read, "computed": computed}))
"""


def confined(*without):
    """What a process finds out that was confined without these guards."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as directory:
        victim = Path(directory, "victim")
        victim.touch()
        child = subprocess.run(
            [sys.executable, "-c", CHILD, victim, *without], capture_output=True, text=True, check=False,
            env=environment, timeout=60,
        )  # fmt: skip
    assert child.returncode == 0, child.stderr
    return json.loads(child.stdout)


@pytest.fixture(scope="module")
def with_everything():
    found = confined()
    # What the kernel says that it has must be had.
    assert "seccomp" not in found["unguarded"] or not Path("/proc/sys/kernel/seccomp").exists()
    version = ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1)  # of Landlock
    assert "Landlock" not in found["unguarded"] or version < 1
    if found["unguarded"]:
        pytest.skip(f"this kernel has no {', '.join(found['unguarded'])}")
    return found


def test_nothing_can_be_opened_called_or_started(with_everything):
    assert with_everything["left"] == []


def test_what_a_start_tells_is_what_there_is(with_everything):
    assert list(unguarded()) == with_everything["unguarded"]


def test_what_is_open_can_be_read_and_computed_with(with_everything):
    assert (with_everything["read"], with_everything["computed"]) == ("sound", 1024.0)


@pytest.mark.usefixtures("with_everything")
def test_each_guard_alone_keeps_files_and_programs_from_it():
    calls_alone, files_alone = confined(LANDLOCK), confined(SECCOMP)
    assert (calls_alone["unguarded"], files_alone["unguarded"]) == (["Landlock"], ["seccomp"])
    assert calls_alone["left"] == []
    assert {"open", "create", "remove", "list", "execute", "signal", "socket"} <= set(files_alone["refused"])


@pytest.mark.usefixtures("with_everything")
def test_where_the_kernel_cannot_it_goes_on_and_says_so():
    bare = confined(LANDLOCK, SECCOMP)
    assert bare["unguarded"] == ["Landlock", "seccomp"]
    assert {"open", "create", "socket", "pipe", "memory"} <= set(bare["refused"])  # by limits of the process
    assert {"signal", "processors"} <= set(bare["left"])


ALL_KINDS = """
import json, sys
from inference.audio.decoder_main import _import_everything
from inference.audio.recording import open_recording, windows_of
from inference.confinement.confine import confine_decoder
from inference.errors import InferenceError
from inference.types import AudioLimits, Options

files = [bytes.fromhex(line) for line in sys.stdin]
_import_everything(pyav=True)
confine_decoder(256 << 20, 60)
outcomes = []
for data in files:
    try:
        *_, end = windows_of(open_recording(data, AudioLimits()), AudioLimits(), Options())
        outcomes.append(end.duration)
    except InferenceError as error:
        outcomes.append(f"{type(error).__name__}: {error}")
print(json.dumps(outcomes))
"""


def test_every_kind_of_file_is_decoded_inside():
    files = files_of_every_kind()
    cut = {
        f"{name}, cut off": files[name][: len(files[name]) // 2] for name in ("MP3", "MP4, index first", "FLAC", "TTA")
    }
    films = {
        "subtitles": film_with_subtitles(tone(2)),
        "fonts and a cover": film_with_attachments("font.ttf"),
        "7.1": ffmpeg(np.stack([tone(2, 48_000)] * 8, axis=1), "matroska", "aac", 48_000),
    }  # of which PyAV imports some parts late
    inputs = {**files, **cut, **films}
    child = subprocess.run(
        [sys.executable, "-c", ALL_KINDS],
        input="\n".join(data.hex() for data in inputs.values()),
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    outcomes = dict(zip(inputs, json.loads(child.stdout), strict=True))
    for name, data in inputs.items():
        try:
            expected = decode(data, AudioLimits(), 16_000).duration
        except InputError as error:
            expected = f"{type(error).__name__}: {error}"
        assert outcomes[name] == expected, name
