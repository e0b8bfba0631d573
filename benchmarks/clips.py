"""Clips of given lengths, cut out of the sample clips in a row."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile


def cut(speech: Sequence[Path], lengths: Sequence[float], directory: Path) -> dict[float, Path]:
    """Write a WAV file for each length, in seconds, into `directory`."""
    sounds = [soundfile.read(path, dtype="int16") for path in speech]
    tape, rate = np.concatenate([samples for samples, _ in sounds]), sounds[0][1]
    clips = {}
    for seconds in lengths:
        clips[seconds] = directory / f"{seconds:g}.wav"
        soundfile.write(clips[seconds], np.resize(tape, round(seconds * rate)), rate, subtype="PCM_16")
    return clips
