"""What a decoder process runs: a file at its standard input, frames at its standard output, and nothing else.

    python -P -m inference.audio.decoder_main PARENT

At first its standard input is a socket, by which its parent sends it both, and how to decode. It is small (no model, no
ONNX Runtime) and sees one file of one stranger. Before a decoder in C sees a byte of that, the process has given up
whatever else it could do (`inference/confinement`).
"""

import contextlib
import importlib
import io
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from inference.audio.containers import Encoded, identify
from inference.audio.frames import Message, Progress, encode
from inference.audio.pyav_blocks import pyav_blocks
from inference.audio.raw import raw_header
from inference.audio.reading import PROCESSOR_SHARE, Reading
from inference.audio.recording import open_recording, windows_of
from inference.confinement.confine import confine_decoder
from inference.errors import AudioTooCostly, DecoderDied, InferenceError
from inference.features import FeatureParameters
from inference.process import die_with, name_process
from inference.types import AudioLimits, Options

_INPUT, _OUTPUT = 0, 1
NAME = "asr-decoder"
"""Of the process in `ps` and `top`, once it has a recording."""
_MEMORY = 256 << 20
"""Bytes that decoding may take beside what the process has before: headers make decoders ask for any amount."""
_NICENESS = 5
"""A little below the lanes: a recording is decoded many times as fast as it is heard, and clips wait for nobody."""
_MOST_SETUP = 1 << 16  # bytes
_PROGRESS_SECONDS = 1.0
_SPARE_SECONDS = 2  # before the kernel ends what does not end itself


class _Speaker:
    """Writes frames; waits where nobody reads them."""

    def __init__(self, limits: AudioLimits) -> None:
        self._patience = limits.decode_seconds + _SPARE_SECONDS
        self._spoke = time.monotonic()
        self.reading: Reading | None = None

    def send(self, message: Message) -> None:
        """Write one frame; raise BrokenPipeError where there is no reader any more."""
        left = memoryview(encode(message))
        while left:
            left = left[os.write(_OUTPUT, left) :]
        self._spoke = time.monotonic()
        # A call into a decoder that takes so much of a processor alone is ended by the kernel (SIGPROF).
        signal.setitimer(signal.ITIMER_PROF, self._patience)

    def checkpoint(self) -> None:
        """Say now and then how far it is."""
        if time.monotonic() - self._spoke > _PROGRESS_SECONDS:
            self.send(Progress(self.reading.seconds if self.reading else 0.0))


def main() -> None:
    """Wait for a recording, and decode it."""
    die_with(int(sys.argv[1]), watching=False)
    os.nice(_NICENESS)
    _import_everything(pyav=False)
    if not select.select([_INPUT], [], [], 0)[0]:  # nothing is wanted yet
        _import_everything(pyav=True)
    setup = _given()
    name_process(NAME)
    limits, options = _limits(setup["limits"]), _options(setup["options"])
    parameters = FeatureParameters(**setup["features"])
    speaker = _Speaker(limits)
    with contextlib.suppress(BrokenPipeError):
        try:
            _decode(speaker, limits, options, parameters)
        except Exception as error:  # noqa: BLE001 - of any kind, since nobody else would hear of it
            speaker.send(_reportable(error))
    os._exit(0)


def _given() -> Mapping[str, Any]:
    """Take what the parent sends, a file and a pipe among it, and how to decode; end where it sends nothing."""
    channel = socket.socket(fileno=_INPUT)
    text, descriptors, _, _ = socket.recv_fds(channel, _MOST_SETUP, 2)
    if len(descriptors) != 2:
        os._exit(0)
    while more := channel.recv(_MOST_SETUP):
        text += more
    channel.detach()
    for descriptor, place in zip(descriptors, (_INPUT, _OUTPUT), strict=True):
        os.dup2(descriptor, place)
        os.close(descriptor)
    setup: Mapping[str, Any] = json.loads(text)
    return setup


def _decode(speaker: _Speaker, limits: AudioLimits, options: Options, parameters: FeatureParameters) -> None:
    data: Encoded = mmap(_INPUT, 0, access=ACCESS_READ) if os.fstat(_INPUT).st_size else b""
    reading = speaker.reading = open_recording(data, limits, speaker.checkpoint)
    _import_everything(pyav=any(piece.decoder == "PyAV" for piece in reading.pieces))
    most = limits.decode_seconds + PROCESSOR_SHARE * limits.longest_seconds + _SPARE_SECONDS
    speaker.send(Progress(0.0, confine_decoder(_MEMORY, round(time.process_time() + most))))
    for item in windows_of(reading, limits, options, parameters):
        speaker.send(item)


def _reportable(error: Exception) -> InferenceError:
    match error:
        case InferenceError():
            return error
        case MemoryError():
            return AudioTooCostly(f"decoding takes more than {_MEMORY >> 20} MiB of memory")
        case BrokenPipeError():
            raise error
        case _:
            # Its own words may name files of this machine, and go to a stranger.
            *_, (frame, line) = traceback.walk_tb(error.__traceback__)
            place = f"{Path(frame.f_code.co_filename).name}:{line}"
            return DecoderDied(f"the decoder failed ({type(error).__name__} at {place})")


def _import_everything(*, pyav: bool) -> None:
    """Do once what will be done: what is imported late cannot be opened later on."""
    sound = raw_header("S16LE", 48_000, 2) + bytes(48_000)
    limits = AudioLimits()
    tuple(windows_of(open_recording(sound, limits), limits, Options()))
    if pyav:
        for name in ("codeccontext", "stream", "subtitle"):  # which PyAV imports where a film has subtitles
            importlib.import_module(f"av.subtitles.{name}")
        with pyav_blocks(io.BytesIO(sound), identify(sound)[0]) as blocks:
            tuple(blocks)


def _limits(fields: Mapping[str, Any]) -> AudioLimits:
    return AudioLimits(**{**fields, "sample_rates": tuple(fields["sample_rates"])})


def _options(fields: Mapping[str, Any]) -> Options:
    channels = fields["channels"]
    return Options(channels=tuple(channels) if isinstance(channels, list) else channels)


if __name__ == "__main__":
    main()
