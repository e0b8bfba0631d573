"""The sound of recordings: out of tars, cut out of longer files, at 16 kHz."""

from __future__ import annotations

import hashlib
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import soundfile

from training.corpora.readers import Recording
from training.files import atomic_path, require_space
from training.utterance import SAMPLE_RATE, resample

_SLACK = 0.1
"""Seconds. Manifests round: what ends so near the file's end, or beyond it, goes up to it."""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _place(path: Path, folder: Path) -> Path:
    """Where a clip that is to lie at `path` lies once it is out of its tar: corpora may name clips alike."""
    home = path.parent.absolute()
    return folder / "unpacked" / f"{home.name}-{_digest(str(home))}" / path.name


def unpacked(recordings: list[Recording], folder: Path) -> list[Recording]:
    """The recordings, those that do not lie open taken out of the tars beside them into `folder`, each tar once."""
    closed = {recording.path for recording in recordings if not recording.path.exists()}
    missing = {path for path in closed if not _place(path, folder).exists()}
    for tar in sorted({path.with_name(f"{path.stem.rpartition('_')[0]}.tar") for path in missing}):
        if tar.exists():
            require_space(folder)
            with tarfile.open(tar) as packed:
                packed.extractall(_place(tar, folder).parent, filter="data")
    return [
        replace(recording, path=_place(recording.path, folder)) if recording.path in closed else recording
        for recording in recordings
    ]


def seconds_of(recording: Recording, whole: float) -> float:
    """How long it is, of a file of `whole` seconds."""
    rest = whole - recording.start
    if recording.seconds is None or recording.seconds > rest - _SLACK:
        return rest
    return recording.seconds


def at_16_khz(recording: Recording, info: Any, folder: Path) -> Path:
    """A file of the recording alone, at 16 kHz mono: its own one or one in `folder`; `info` is soundfile's."""
    path, seconds = recording.path.absolute(), seconds_of(recording, info.duration)
    whole = seconds == info.duration
    if whole and info.samplerate == SAMPLE_RATE and info.channels == 1:
        return path
    # Other files have the same name, and other parts the same file.
    name = _digest(str(path) if whole else f"{path} {recording.start:.3f} {seconds:.3f}")
    target = folder / "clips" / f"{path.stem}-{name}.flac"
    if not target.exists():
        require_space(folder)
        first, count = (0, -1) if whole else (round(part * info.samplerate) for part in (recording.start, seconds))
        samples, rate = soundfile.read(path, count, first, dtype="float32", always_2d=True)
        with atomic_path(target) as temporary:
            soundfile.write(temporary, resample(samples.mean(axis=1), rate), SAMPLE_RATE)
    return target.absolute()
