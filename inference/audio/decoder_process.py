"""A recording decoded in a process of its own, which lives as long as the recording takes: the parent's side.

    async with DecoderProcess(Work(audio, limits, options), deadline) as windows:
        async for window in windows:
            ...
        windows.end

Windows come through a pipe. As long as nobody takes the next one, the process stands still, so memory is flat however
long the recording. What it finds wrong with that is raised here; whatever becomes of it, nothing else is harmed.
"""

import asyncio
import fcntl
import math
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from inference.audio.decoder_start import StartedDecoder, Work
from inference.audio.frames import HEAD, Message, Progress, announced, decode
from inference.audio.recording import End
from inference.audio.windows import Window
from inference.errors import AudioTooCostly, DeadlineExceeded, DecoderDied, InferenceError, UndecodableAudio

_PATIENCE_SECONDS = 30.0
"""Without a sign of life, of which one comes every second: a process that was stopped, or hangs."""
_PIPE = 1 << 20
"""Bytes; two windows of 15 s, and the most that Linux gives to everybody."""
_ENDED_BY_LIMIT = (signal.SIGPROF, signal.SIGXCPU)
_CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS)


class DecoderProcess:
    """One recording's; iterate once, over its windows in their order.

    Iterating raises any InputError that decoding finds, UndecodableAudio where the file crashes its decoder,
    AudioTooCostly where it takes too much of the machine, DecoderDied where the process is killed or stands still for
    another reason, and DeadlineExceeded. Entering raises OSError where the file cannot be read.
    """

    def __init__(
        self, work: Work, deadline: float = math.inf, start: Callable[[], StartedDecoder] = StartedDecoder
    ) -> None:
        """`deadline` by `time.monotonic()`; `start` gives a process that waits for a recording, or raises OSError."""
        self._work = work
        self._deadline = deadline
        self._start = start
        self._patience = _PATIENCE_SECONDS
        self._process: subprocess.Popen[bytes] | None = None
        self._reader = asyncio.StreamReader()
        self._pipe: asyncio.ReadTransport | None = None
        self.seconds = 0.0
        """Of audio that were decoded up to now."""
        wanted = work.options.channels
        self.channels = len(set(wanted)) if isinstance(wanted, tuple) else 1
        """Heard apart, as far as is known by now."""
        self.unguarded: tuple[str, ...] = ()
        """What the process could not be kept from on this machine; known with the first window."""
        self.end: End | None = None
        """Once all windows have come."""
        self.ended_by = ""
        """The signal that ended it, or its status, where something did before all windows had come."""

    async def __aenter__(self) -> Self:
        reading, writing = _pipe()
        try:
            source = _opened(self._work.audio)
            try:
                started = self._start()
                self._process = started.process
                started.begin(self._work, source, writing)
            finally:
                os.close(source)
            loop = asyncio.get_running_loop()
            protocol = asyncio.StreamReaderProtocol(self._reader)
            self._pipe, _ = await loop.connect_read_pipe(lambda: protocol, os.fdopen(os.dup(reading), "rb", 0))
        except BaseException:
            self._kill()
            raise
        finally:
            os.close(writing)
            os.close(reading)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._kill()
        if self._process:
            await asyncio.to_thread(self._process.wait)

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process  # noqa: S101 - entered
        return self._process.pid

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Window:
        while self.end is None:
            match message := await self._next():
                case Window():
                    self.seconds = max(self.seconds, message.end)
                    if self._work.options.channels == "separate" and message.channel is not None:
                        self.channels = max(self.channels, message.channel + 1)
                    return message
                case Progress():
                    self.seconds = max(self.seconds, message.seconds)
                    self.unguarded = self.unguarded or message.unguarded
                case End():
                    self.end, self.channels = message, message.channels
                case InferenceError():
                    raise message
        raise StopAsyncIteration

    async def _next(self) -> Message:
        try:
            async with asyncio.timeout(min(self._patience, self._deadline - time.monotonic())):
                limits, bins = self._work.limits, self._work.parameters.mel_bins
                kind, size = announced(await self._reader.readexactly(HEAD.size), limits, bins)
                return decode(kind, await self._reader.readexactly(size), limits, bins)
        except TimeoutError:
            if time.monotonic() >= self._deadline:
                raise DeadlineExceeded("the deadline passed while the recording was being decoded") from None
            raise DecoderDied(f"the decoder gave no sign of life for {self._patience:g} s") from None
        except asyncio.IncompleteReadError:
            raise await self._cause() from None

    async def _cause(self) -> InferenceError:
        """Why the pipe ended too early."""
        self._kill()  # does nothing to a process that has ended, however that was
        assert self._process  # noqa: S101 - entered
        status = await asyncio.to_thread(self._process.wait)
        self.ended_by = name = signal.Signals(-status).name if status < 0 else f"status {status}"
        if -status in _ENDED_BY_LIMIT:
            return AudioTooCostly("decoding takes more processor time than is allowed")
        if -status in _CRASHES:
            return UndecodableAudio(f"the decoder crashed on it ({name})")
        return DecoderDied(f"the decoder was ended ({name})")

    def _kill(self) -> None:
        if self._pipe:
            self._pipe.close()
        if self._process:
            self._process.kill()


def _pipe() -> tuple[int, int]:
    """One that holds a window: through the usual 64 KiB each would go in pieces, which wake both sides every time."""
    reading, writing = os.pipe()
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # who has many large pipes gets no more of them
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PIPE)
    return reading, writing


def _opened(audio: bytes | Path) -> int:
    """A descriptor of the file, or of one without a name that holds the bytes; raise OSError."""
    if isinstance(audio, Path):
        return os.open(audio, os.O_RDONLY)
    if not hasattr(os, "memfd_create"):
        with tempfile.TemporaryFile() as file:
            file.write(audio)
            file.flush()
            return os.dup(file.fileno())
    descriptor = os.memfd_create("recording")
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(audio)
    return descriptor
