"""Blocks of samples by libsndfile: WAV, FLAC, OGG."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import soundfile

from inference.audio.blocks import Block, block_frames
from inference.errors import UndecodableAudio


class SoundfileBlocks:
    """An open file."""

    def __init__(self, sound: soundfile.SoundFile) -> None:
        self._sound = sound
        self.codec = str(sound.subtype_info)
        frames = sound.frames if 0 < sound.frames < np.iinfo(np.int64).max else 0
        self.announced = self.shortest = frames / sound.samplerate
        self.warnings: list[str] = []

    def __iter__(self) -> Iterator[Block]:
        """All blocks."""
        rate = self._sound.samplerate
        frames = block_frames(rate, self._sound.channels)
        while len(samples := self._sound.read(frames, dtype="float32", always_2d=True)):
            yield Block(samples, rate)


@contextmanager
def soundfile_blocks(stream: Any, container: str) -> Iterator[SoundfileBlocks]:
    """Open a file; raise UndecodableAudio here and while it is read."""
    try:
        with soundfile.SoundFile(stream) as sound:
            yield SoundfileBlocks(sound)
    except soundfile.LibsndfileError as error:
        raise UndecodableAudio(f"{container}: {error.error_string}") from error
