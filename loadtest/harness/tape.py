"""Recordings made of clips whose text is known, with stretches between in which nobody speaks.

What is said in a row is loud or soft and clean or noisy as chance has it; between lie pauses, silence, noise and music.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from evaluation.manifest import read_manifests
from loadtest.harness import REPOSITORY

RATE = 16_000
Samples = NDArray[np.int16]
"""`[samples]` at 16 kHz, mono."""
Spoken = tuple[str, Samples]
"""What is said, and how it sounds."""

_DATA = REPOSITORY / "tests" / "data"
_FORMATS: Mapping[str, tuple[str, str]] = {
    "wav": ("WAV", "PCM_16"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "opus": ("OGG", "OPUS"),
}


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a tape."""

    start: float
    """Seconds from the beginning."""
    end: float
    text: str
    """What is said; empty where nobody speaks."""
    kind: str
    """`speech`, `pause`, `silence`, `noise` or `music`."""


@dataclass(frozen=True)
class Tape:
    """A recording, and what is in it."""

    samples: Samples
    stretches: Sequence[Stretch]

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.samples.size / RATE

    @cached_property
    def spoken(self) -> Sequence[Stretch]:
        """The stretches in which somebody speaks."""
        return [stretch for stretch in self.stretches if stretch.text]

    def cut(self, stretch: Stretch) -> bytes:
        """A stretch as a WAV file of its own."""
        return self.of(self.samples[round(stretch.start * RATE) :], stretch.end - stretch.start)

    @staticmethod
    def of(samples: Samples, seconds: float) -> bytes:
        """Make a WAV file of the first seconds."""
        buffer = io.BytesIO()
        soundfile.write(buffer, samples[: round(seconds * RATE)], RATE, format="WAV", subtype="PCM_16")
        return buffer.getvalue()

    def write(self, path: Path, times: int = 1) -> Path:
        """Write it, so many times in a row, as what the file's suffix says: `.wav`, `.mp3` or `.opus`."""
        container, subtype = _FORMATS[path.suffix[1:]]
        with soundfile.SoundFile(path, "w", RATE, 1, subtype=subtype, format=container) as file:
            for _ in range(times):
                for begin in range(0, self.samples.size, 60 * RATE):  # libsndfile's encoders take a stack of it
                    file.write(self.samples[begin : begin + 60 * RATE])
        return path


def read_spoken(manifests: Sequence[Path] = ()) -> list[Spoken]:
    """Read the sample clips of `tests/data`, or those of NeMo manifests, which are to have 16 kHz."""
    if manifests:
        return [(clip.text, soundfile.read(clip.audio, dtype="int16")[0]) for clip in read_manifests(manifests)]
    rows = (line.split("\t") for line in (_DATA / "expected.tsv").read_text(encoding="utf-8").splitlines())
    return [(text, soundfile.read(_DATA / name, dtype="int16")[0]) for name, text in rows]


def make_tape(
    spoken: Sequence[Spoken], seconds: float, between: Sequence[str] = ("silence", "noise", "music"), seed: int = 0
) -> Tape:
    """Make one of about so many seconds, with that `between` what is spoken; the same for the same seed."""
    chance = np.random.default_rng(seed)
    pieces: list[Samples] = []
    stretches: list[Stretch] = []
    size = 0

    def append(piece: Samples, text: str, kind: str) -> None:
        nonlocal size
        pieces.append(piece)
        stretches.append(Stretch(size / RATE, (size + piece.size) / RATE, text, kind))
        size += piece.size

    while size < seconds * RATE:
        loudness, distance = chance.uniform(-12.0, 0.0), chance.uniform(25.0, 40.0)
        for _ in range(chance.integers(1, 7)):  # some without a rest, longer than a window
            text, sound = spoken[int(chance.integers(len(spoken)))]
            append(_told(sound, loudness, distance, chance), text, "speech")
            append(_hiss(chance.uniform(0.1, 1.5), -70.0, chance), "", "pause")
        kind = between[int(chance.integers(len(between)))]
        append(_faded(_BETWEEN[kind](chance.uniform(1.5, 6.0), chance)), "", kind)
    return Tape(np.concatenate(pieces), stretches)


def _told(sound: Samples, loudness: float, distance: float, chance: np.random.Generator) -> Samples:
    """Softer by `loudness`, and with noise behind it, `distance` below; in dB."""
    softer = sound * 10 ** (loudness / 20)
    level = 20 * np.log10(np.sqrt(np.square(softer).mean()) / 32_768) - distance
    return _pcm(softer / 32_768 + _white(sound.size, level, chance))


def _faded(sound: Samples) -> Samples:
    """Begun and ended softly, within 0.3 s."""
    times = np.minimum(np.arange(sound.size), np.arange(sound.size)[::-1]) / RATE
    return (sound * np.minimum(1.0, times / 0.3)).astype(np.int16)


def _hiss(seconds: float, level: float, chance: np.random.Generator) -> Samples:
    return _pcm(_white(round(seconds * RATE), level, chance))


def _noise(seconds: float, chance: np.random.Generator) -> Samples:
    """White or pink, at a level of its own."""
    noise = _white(round(seconds * RATE), chance.uniform(-55.0, -30.0), chance)
    if chance.random() < 0.5:
        spectrum = np.fft.rfft(noise)
        noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(spectrum.size), 1) / 500), noise.size)
    return _pcm(noise)


def _music(seconds: float, chance: np.random.Generator) -> Samples:
    """Chords of a plucked instrument, four a second."""
    since = np.arange(RATE) / RATE
    sound = np.zeros(round(seconds * RATE) + RATE)
    for beat in range(0, round(seconds * RATE), RATE // 4):
        for semitones in chance.choice(24, 3, replace=False):
            phase = 2 * np.pi * 220 * 2 ** (semitones / 12) * since
            tone = np.sin(phase) + np.sin(2 * phase) / 2 + np.sin(3 * phase) / 3
            sound[beat : beat + RATE] += np.exp(-6 * since) * tone
    return _pcm(0.05 * sound[:-RATE])


_BETWEEN: Mapping[str, Callable[[float, np.random.Generator], Samples]] = {
    "silence": lambda seconds, chance: _hiss(seconds, -80.0, chance),
    "noise": _noise,
    "music": _music,
}


def _white(size: int, level: float, chance: np.random.Generator) -> NDArray[np.float64]:
    return chance.normal(scale=10 ** (level / 20), size=size)


def _pcm(sound: NDArray[np.float64]) -> Samples:
    return (np.clip(sound, -1.0, 1.0) * 32_767).astype(np.int16)
