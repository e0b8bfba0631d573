"""A decoder process from its start to when it is given a recording: the parent's side.

Python and its libraries take a tenth of a second to start, in which nobody is heard. So a process may be started ahead,
before there is a recording, and waits; `decoder_main.py` is what it runs.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from inference.audio.speech_network import PARAMETERS
from inference.features import FeatureParameters
from inference.process import signals_blocked
from inference.types import AudioLimits, Options

_ROOT = Path(__file__).parents[2]
_ENVIRONMENT = {"PYTHONPATH": str(_ROOT), "OPENBLAS_NUM_THREADS": "1"}
_KEPT = ("LD_LIBRARY_PATH", "PYTHONHOME")
"""Nothing else of the environment: there are secrets in it."""


@dataclass(frozen=True, slots=True)
class Work:
    """A recording, and how it is to be decoded."""

    audio: bytes | Path
    limits: AudioLimits
    options: Options
    parameters: FeatureParameters = PARAMETERS
    """Of the features that windows are made of."""


class StartedDecoder:
    """A process that waits for its recording."""

    def __init__(self) -> None:
        """Start it; raise OSError where the machine has no place for another one."""
        self._channel, theirs = socket.socketpair()
        environment = {**_ENVIRONMENT, **{name: os.environ[name] for name in _KEPT if name in os.environ}}
        # Not by asyncio: uvloop starts a process with no signal blocked, and what comes before its first line ends it.
        with theirs, signals_blocked(signal.SIGINT, signal.SIGTERM):
            self.process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - ours
                (sys.executable, "-P", "-m", "inference.audio.decoder_main", str(os.getpid())),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=environment,
                cwd="/",
            )

    @property
    def alive(self) -> bool:
        """Whether it still waits."""
        return self.process.poll() is None

    def begin(self, work: Work, source: int, output: int) -> None:
        """Give it descriptors of the file and of the pipe to write to. One that has died meanwhile is noticed there."""
        setup = {
            "limits": asdict(work.limits),
            "options": {"channels": work.options.channels},
            "features": asdict(work.parameters),
        }
        with self._channel as channel:
            try:
                socket.send_fds(channel, [json.dumps(setup).encode()], [source, output])
            except (BrokenPipeError, ConnectionResetError):
                return

    def close(self) -> None:
        """End it, and wait until it is gone."""
        self._channel.close()
        self.process.kill()
        self.process.wait()


class SpareDecoder:
    """One process that waits, once there was a recording: where there are none, it would cost memory for nothing."""

    def __init__(self) -> None:
        self._waiting: StartedDecoder | None = None

    def take(self) -> StartedDecoder:
        """Return it, or else start one; raise OSError."""
        waiting, self._waiting = self._waiting, None
        if waiting and waiting.alive:
            return waiting
        if waiting:
            waiting.close()
        return StartedDecoder()

    def prepare(self) -> None:
        """Have one wait for the next recording."""
        if self._waiting is None:
            self._waiting = StartedDecoder()

    def close(self) -> None:
        """End it."""
        waiting, self._waiting = self._waiting, None
        if waiting:
            waiting.close()
