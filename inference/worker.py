"""What a pool process imports: `initialise` once, `load_model` for each model it is asked for, `run` for each task.

A process has two tasks at most, the one that it works on and the one that comes next. The parent shares a small
block of memory with it (`Control`), where it writes the number of a task that nobody waits for any more; the process
reads it before every stage.
"""

import ctypes
import io
import socket
import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from inference.confinement.confine import confine_lane
from inference.errors import DeadlineExceeded, WorkCancelled
from inference.handing import Handed
from inference.loading import load
from inference.package import Package
from inference.pipeline import Pipeline
from inference.process import die_with, give_memory_back
from inference.recogniser import SessionOptions
from inference.task import Task
from inference.types import AudioLimits, Features, Transcript

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
    """All that a process needs to load its models."""

    packages: Mapping[str, Package]
    """By name; a process loads one when it is first asked to."""
    models_loaded: int
    """The most that it keeps at a time."""
    precision: str
    """`auto`, `fp32` or `int8`."""
    session_options: SessionOptions
    limits: AudioLimits
    cache: Path
    """Directory for graphs prepared for this machine."""
    parent: int
    """Process id of the Gunicorn worker."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A process's report that a model is loaded and its canary came through."""

    model: str
    loaded: tuple[str, ...]
    """All models that the process holds now."""
    canary_seconds: float
    """Audio in the canary clip."""
    compute_seconds: float
    """Time it took but for decoding, so that the parent can predict before the first request."""
    prepared: bool
    """Whether the graph prepared for this machine is in use, whose weights all lanes share."""
    precision: str
    """`fp32`, `int8` or `int8-w7`, as it is computed."""
    warnings: tuple[str, ...]
    """Why it is not what was asked for."""
    unguarded: tuple[str, ...]
    """What this machine could not take away from the process before it hears strangers."""


class _Process:
    """The state of this pool process; set once by `initialise`."""

    setup: Setup
    control: Control
    handed: Handed
    pipelines: OrderedDict[str, Pipeline]
    """By model; the one used last stands last."""
    unguarded: tuple[str, ...] | None
    """As in `Ready`; None while it is not confined."""


def initialise(setup: Setup, control: Control, channel: socket.socket) -> None:
    """Tie this process to its parent, which sends files by `channel`.

    Cannot fail: an initialiser that raises breaks its pool without a reason.
    """
    die_with(setup.parent, watching=False)
    _Process.setup = setup
    _Process.handed = Handed(channel)
    _Process.control = control
    _Process.pipelines = OrderedDict()
    _Process.unguarded = None


def load_model(model: str) -> Ready:
    """Load a model and send a canary clip through every stage; raise PackageError where it cannot be loaded.

    Where the process holds as many as it may, the one that was not used for the longest time goes. With its first
    model it gives up all but reading and computing: what is not prepared by then it cannot prepare any more.
    """
    setup, pipelines = _Process.setup, _Process.pipelines
    package = setup.packages[model]
    pipeline = _first_loaded(package) if _Process.unguarded is None else _loaded(package)
    # Only now, since one that cannot be loaded must cost the others nothing.
    pipelines.pop(model, None)
    while len(pipelines) >= setup.models_loaded:
        pipelines.popitem(last=False)
        give_memory_back()
    # By the default limits: one below the canary's length is the requests' affair. Nobody speaks in it.
    stages = pipeline.transcribe(canary(package.features.sample_rate), AudioLimits(detect_speech=False)).stages
    pipelines[model] = pipeline
    # Noise leads a beam search astray for far longer than speech does.
    seconds = sum(each.seconds for each in stages if each.stage != "decoding")
    return Ready(
        model,
        tuple(pipelines),
        _CANARY_SECONDS,
        seconds,
        pipeline.prepared,
        pipeline.precision,
        pipeline.warnings,
        _Process.unguarded or (),
    )


def _first_loaded(package: Package) -> Pipeline:
    """Prepare what is not prepared, and confine the process."""
    pipeline = _loaded(package)
    warnings = pipeline.warnings
    if _Process.setup.session_options.threads > 1:
        del pipeline  # and its threads with it, which Landlock would spare
    packages = _Process.setup.packages.values()
    directories = [each.directory for each in packages]
    linked = (path.resolve() for directory in directories for path in directory.rglob("*") if path.is_symlink())
    _Process.unguarded = confine_lane((_Process.setup.cache, *directories, *linked))
    die_with(_Process.setup.parent)  # watched by a thread from now on
    if _Process.setup.session_options.threads > 1:
        pipeline = _loaded(package)
        pipeline.warnings = warnings
    return pipeline


def _loaded(package: Package) -> Pipeline:
    setup = _Process.setup
    return load(package, setup.session_options, setup.precision, setup.cache)


def run(number: int, task: Task) -> Transcript:
    """Do a task with a model that is loaded; raise any InputError, LongerThanWindow, or WorkInterrupted between stages.

    `number` counts the tasks of this process up from 1, for the parent to say which nobody waits for any more.
    """

    def checkpoint() -> None:
        if _Process.control.is_abandoned(number):
            raise WorkCancelled("the client is gone")
        if time.monotonic() > task.deadline:
            raise DeadlineExceeded("the deadline passed while the audio was being transcribed")

    audio, file = task.audio, _Process.handed.take(number)
    pipeline = _Process.pipelines[task.model]
    _Process.pipelines.move_to_end(task.model)
    if isinstance(audio, Features):
        return pipeline.recognise_features(audio, task.options, checkpoint)
    limits = _Process.setup.limits
    longest = pipeline.package.longest_seconds
    limits = replace(
        limits,
        limit_seconds=min(limits.limit_seconds, longest),
        window_seconds=min(limits.window_seconds, longest),
    )
    encoded = audio if isinstance(audio, bytes) else file
    if encoded is None:
        # A request's spool file lives as long as the request.
        raise WorkCancelled("the recording is gone, and so is whoever sent it")
    with nullcontext() if isinstance(encoded, bytes) else encoded:
        return pipeline.transcribe_clip(encoded, limits, task.options, checkpoint)


def canary(sample_rate: int) -> bytes:
    """Two seconds of soft noise as a WAV file: every stage has work to do, and any model digests it."""
    # As good as random for this; NumPy's generators are 2 MiB in every lane.
    noise = 0.07 * np.sin(np.arange(int(_CANARY_SECONDS * sample_rate), dtype=np.float64) ** 2)
    buffer = io.BytesIO()
    soundfile.write(buffer, noise, sample_rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
