"""Clips of given lengths, cut out of the sample clips in a row."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile


def cut(speech: Sequence[Path], lengths: Sequence[float], directory: Path) -> dict[float, Path]:
    """Write a WAV file for each length, in seconds, into `directory`."""
    tape, rate = _tape(speech)
    clips = {}
    for seconds in lengths:
        clips[seconds] = directory / f"{seconds:g}.wav"
        soundfile.write(clips[seconds], np.resize(tape, round(seconds * rate)), rate, subtype="PCM_16")
    return clips


def pieces(speech: Sequence[Path], seconds: float, count: int) -> list[bytes]:
    """Cut WAV files of one length, each from a place of its own."""
    tape, rate = _tape(speech)
    length = round(seconds * rate)
    found = []
    for index in range(count):
        buffer = io.BytesIO()
        piece = np.resize(np.roll(tape, -index * tape.size // count), length)
        soundfile.write(buffer, piece, rate, format="WAV", subtype="PCM_16")
        found.append(buffer.getvalue())
    return found


def _tape(speech: Sequence[Path]) -> tuple[Any, int]:
    sounds = [soundfile.read(path, dtype="int16") for path in speech]
    return np.concatenate([samples for samples, _ in sounds]), int(sounds[0][1])
