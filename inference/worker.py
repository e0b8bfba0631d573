"""What a pool process imports: `initialise` once, `warm_up` once, then `run` for each task.

A process has two tasks at most, the one that it works on and the one that comes next. The parent shares a small
block of memory with it (`Control`), where it writes the number of a task that nobody waits for any more; the process
reads it before every stage.
"""

import ctypes
import io
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from inference.errors import DeadlineExceeded, WorkCancelled
from inference.loading import load
from inference.package import Package
from inference.pipeline import Pipeline
from inference.process import die_with
from inference.recogniser import SessionOptions
from inference.types import Options, Transcript

_CANARY_SECONDS = 2.0


class Control(ctypes.Structure):
    """Memory shared by a lane and its process."""

    _fields_ = (("_abandoned", ctypes.c_uint64 * 2),)  # numbers of tasks; written by the parent alone

    def abandon(self, number: int) -> None:
        """Nobody waits for this task any more. Of two tasks in a row neither overwrites the other."""
        self._abandoned[number % 2] = number

    def is_abandoned(self, number: int) -> bool:
        """Whether that was said of this task."""
        return bool(self._abandoned[number % 2] == number)


@dataclass(frozen=True, slots=True)
class Setup:
    """All that a process needs to load its model."""

    package: Package
    precision: str
    """`auto`, `fp32` or `int8`."""
    session_options: SessionOptions
    options: Options
    cache: Path
    """Directory for graphs prepared for this machine."""
    parent: int
    """Process id of the Gunicorn worker."""


@dataclass(frozen=True, slots=True)
class Task:
    """One file of audio on its way through the pool."""

    number: int
    """Counts up from 1 for each process."""
    data: bytes
    deadline: float
    """`time.monotonic()` of the machine, by which an answer is wanted."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A process's report that its canary came through."""

    canary_seconds: float
    """Audio in the canary clip."""
    compute_seconds: float
    """Time it took but for decoding, so that the parent can predict before the first request."""
    prepared: bool
    """Whether the graph prepared for this machine is in use, whose weights all lanes share."""
    precision: str
    """`fp32` or `int8`, as it is computed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a process made of a task."""

    transcript: Transcript
    began: float
    """`time.monotonic()` of the machine at which it began; the parent, short of a processor, may notice later."""


class _Process:
    """The state of this pool process; set once by `initialise`."""

    pipeline: Pipeline
    setup: Setup
    control: Control


def initialise(setup: Setup, control: Control) -> None:
    """Tie this process to its parent. Cannot fail: an initialiser that raises breaks its pool without a reason."""
    _ignore_signals_of_the_group()
    die_with(setup.parent)
    _Process.setup = setup
    _Process.control = control


def warm_up() -> Ready:
    """Load the model and send a canary clip through every stage; raise PackageError where it cannot be loaded."""
    setup = _Process.setup
    loaded = load(setup.package, setup.session_options, setup.precision, setup.cache)
    _Process.pipeline = loaded.pipeline
    # By the default options: a limit below the canary's length is the requests' affair.
    timings = _Process.pipeline.transcribe(canary(setup.package.features.sample_rate)).timings
    # Noise leads a beam search astray for far longer than speech does.
    return Ready(_CANARY_SECONDS, timings.total - timings.decoding, loaded.prepared, loaded.precision)


def run(task: Task) -> Answer:
    """Transcribe; raise any InputError, or WorkInterrupted between stages."""
    began = time.monotonic()

    def checkpoint() -> None:
        if _Process.control.is_abandoned(task.number):
            raise WorkCancelled("the client is gone")
        if time.monotonic() > task.deadline:
            raise DeadlineExceeded("the deadline passed while the audio was being transcribed")

    return Answer(_Process.pipeline.transcribe(task.data, _Process.setup.options, checkpoint), began)


def canary(sample_rate: int) -> bytes:
    """Two seconds of soft noise as a WAV file: every stage has work to do, and any model digests it."""
    # As good as random for this; NumPy's generators are 2 MiB in every lane.
    noise = 0.07 * np.sin(np.arange(int(_CANARY_SECONDS * sample_rate), dtype=np.float64) ** 2)
    buffer = io.BytesIO()
    soundfile.write(buffer, noise, sample_rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def _ignore_signals_of_the_group() -> None:
    """Ctrl-C in a terminal reaches the whole group; the parent decides when its children stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
