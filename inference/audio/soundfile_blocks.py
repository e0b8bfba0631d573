"""Blocks of samples by libsndfile: WAV, FLAC, OGG."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import soundfile

from inference.audio.blocks import Block, block_frames
from inference.errors import UndecodableAudio

_SLIP_SECONDS = {"OGG": 0.15}  # encoders' delays, and ends that are rounded; pages are counted elsewhere


class SoundfileBlocks:
    """An open file."""

    def __init__(self, sound: soundfile.SoundFile, container: str) -> None:
        self._sound = sound
        self.codec = str(sound.subtype_info)
        frames = sound.frames if 0 < sound.frames < np.iinfo(np.int64).max else 0
        self.announced = frames / sound.samplerate
        self.shortest = self.announced - _SLIP_SECONDS.get(container, 0.0)
        self.warnings: list[str] = []

    def __iter__(self) -> Iterator[Block]:
        """All blocks."""
        rate = self._sound.samplerate
        frames = block_frames(rate, self._sound.channels)
        while len(samples := self._sound.read(frames, dtype="float32", always_2d=True)):
            yield Block(samples, rate)


@contextmanager
def soundfile_blocks(stream: Any, container: str, shortfall: str = "") -> Iterator[SoundfileBlocks]:
    """Open a file; raise UndecodableAudio here and while it is read, with what is known to be missing of it."""
    try:
        with soundfile.SoundFile(stream) as sound:
            yield SoundfileBlocks(sound, container)
    except soundfile.LibsndfileError as error:
        raise UndecodableAudio(f"{container}: {shortfall or error.error_string}") from error
