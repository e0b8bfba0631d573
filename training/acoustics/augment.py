"""Cheap, strong changes of a waveform, so that a synthetic voice is never heard twice the same way.

Every function takes and returns float32 samples at 16 kHz; `numpy.random.Generator` is the only source of chance.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy import fft

Samples = NDArray[np.float32]
RATE = 16_000


@dataclass(frozen=True)
class Chances:
    """How often each change is made."""

    speed: float = 0.8
    silence: float = 0.25
    room: float = 0.3
    equaliser: float = 0.5
    telephone: float = 0.2
    noise: float = 0.5
    babble: float = 0.1
    codec: float = 0.08
    clipping: float = 0.08


def change_speed(samples: Samples, factor: float) -> Samples:
    """Resample so that speech is `factor` times as fast and as high: another vocal tract at no cost."""
    return np.asarray(soxr.resample(samples, RATE * factor, RATE, quality="LQ"), dtype=np.float32)


def add_room(samples: Samples, chance: np.random.Generator) -> Samples:
    """Convolve with a made-up room: a direct path, then noise that dies away with a T60 of 0.1-0.7 s."""
    decay = float(chance.uniform(0.1, 0.7))
    length = int(RATE * min(decay, 0.5))
    tail = chance.standard_normal(length, dtype=np.float32)
    tail *= np.exp(-6.9 * np.arange(length, dtype=np.float32) / (RATE * decay))
    tail[: int(RATE * chance.uniform(0.001, 0.01))] = 0
    tail *= float(10 ** (chance.uniform(-12, 3) / 20)) / max(float(np.sqrt((tail**2).sum())), 1e-6)
    tail[0] = 1.0
    size = fft.next_fast_len(len(samples) + length, real=True)
    wet = fft.irfft(fft.rfft(samples, size) * fft.rfft(tail, size), size)
    return np.asarray(wet[: len(samples)], dtype=np.float32)


def add_silence(samples: Samples, chance: np.random.Generator) -> Samples:
    """Up to 0.8 s before and 1.6 s after, filled with a little noise: people record longer than they speak."""
    before, after = (int(RATE * chance.uniform(0, most)) for most in (0.8, 1.6))
    longer = coloured_noise(before + len(samples) + after, float(chance.uniform(0, 2)), chance)
    longer *= float(10 ** (chance.uniform(-90, -35) / 20)) / max(float(longer.std()), 1e-9)
    longer[before : before + len(samples)] += samples
    return longer


def _shape(samples: Samples, gain: NDArray[np.float64]) -> Samples:
    """Multiply the spectrum by `gain`, given at 0 Hz … 8 kHz in equal steps."""
    size = fft.next_fast_len(len(samples), real=True)
    spectrum = fft.rfft(samples, size)
    curve = np.interp(np.linspace(0, 1, len(spectrum)), np.linspace(0, 1, len(gain)), gain)
    return np.asarray(fft.irfft(spectrum * curve.astype(np.float32), size)[: len(samples)], dtype=np.float32)


def equalise(samples: Samples, chance: np.random.Generator) -> Samples:
    """A microphone's colour: a smooth random gain of about ±6 dB."""
    return _shape(samples, 10 ** (chance.normal(0, 6, 9) / 20))


def band_limit(samples: Samples, low: float, high: float) -> Samples:
    """Keep `low` to `high` Hz, with skirts of about 100 Hz."""
    hertz = np.linspace(0, RATE / 2, 161)
    return _shape(samples, np.clip((hertz - low) / 100 + 1, 0, 1) * np.clip((high - hertz) / 100 + 1, 0, 1))


def mu_law(samples: Samples) -> Samples:
    """G.711 µ-law and back: eight bits a sample."""
    peak = max(float(np.abs(samples).max()), 1e-4)
    squeezed = np.sign(samples) * np.log1p(255 * np.abs(samples) / peak) / np.log(256)
    rounded = np.round(squeezed * 127) / 127
    expanded = np.sign(rounded) * np.expm1(np.abs(rounded) * np.log(256)) / 255 * peak
    return np.asarray(expanded, dtype=np.float32)


def telephone(samples: Samples, chance: np.random.Generator) -> Samples:
    """A telephone line: 300-3400 Hz, give or take, and half the time µ-law."""
    narrow = band_limit(samples, float(chance.uniform(50, 350)), float(chance.uniform(3000, 3800)))
    return mu_law(narrow) if chance.random() < 0.5 else narrow


def codec(samples: Samples, chance: np.random.Generator) -> Samples:
    """Through MP3, Opus or GSM 06.10 and back."""
    packed = io.BytesIO()
    kind = chance.random()
    if kind < 0.55:
        opus = kind < 0.15  # less often: it takes ten times as long
        squeeze = float(chance.uniform(0.6, 1 if opus else 0.99))
        form, subtype = ("OGG", "OPUS") if opus else ("MP3", "MPEG_LAYER_III")
        soundfile.write(packed, samples, RATE, format=form, subtype=subtype, compression_level=squeeze)
        unpacked, _ = soundfile.read(io.BytesIO(packed.getvalue()), dtype="float32")
        return np.asarray(unpacked[: len(samples)])
    narrow = soxr.resample(samples, RATE, RATE // 2)
    soundfile.write(packed, narrow, RATE // 2, format="WAV", subtype="GSM610")
    narrow = soundfile.read(io.BytesIO(packed.getvalue()), dtype="float32")[0]
    return np.asarray(soxr.resample(narrow, RATE // 2, RATE), dtype=np.float32)


def clip_off(samples: Samples, chance: np.random.Generator) -> Samples:
    """A microphone too near: up to 12 dB more than it can take, cut off."""
    peak = max(float(np.abs(samples).max()), 1e-5)
    most = peak * float(10 ** (-chance.uniform(0, 12) / 20))
    return np.asarray(np.clip(samples, -most, most), dtype=np.float32)


def coloured_noise(length: int, exponent: float, chance: np.random.Generator) -> Samples:
    """Noise whose power falls as 1/f^exponent: 0 white, 1 pink, 2 brown."""
    size = fft.next_fast_len(length, real=True)
    white = fft.rfft(chance.standard_normal(size, dtype=np.float32))
    hertz = np.maximum(np.arange(len(white), dtype=np.float32), 20 * size / RATE)
    return np.asarray(fft.irfft(white * hertz ** np.float32(-exponent / 2), size)[:length], dtype=np.float32)


def mix(samples: Samples, noise: Samples, decibels: float) -> Samples:
    """Add `noise`, tiled to the length of `samples`, at a signal-to-noise ratio of `decibels`."""
    noise = np.resize(noise, len(samples))
    ratio = np.sqrt(float((samples**2).mean()) / max(float((noise**2).mean()), 1e-12))
    return np.asarray(samples + noise * ratio * 10 ** (-decibels / 20), dtype=np.float32)


def add_noise(samples: Samples, chance: np.random.Generator) -> Samples:
    """Noise of a random colour, 3 to 30 dB below the speech."""
    noise = coloured_noise(len(samples), float(chance.uniform(0, 2)), chance)
    return mix(samples, noise, float(chance.uniform(3, 30)))


def add_babble(samples: Samples, other: Samples, chance: np.random.Generator) -> Samples:
    """A second speaker, 8 to 25 dB below the first."""
    return mix(samples, np.roll(other, int(chance.integers(len(other)))), float(chance.uniform(8, 25)))


def augment(samples: Samples, other: Samples, chance: np.random.Generator, chances: Chances | None = None) -> Samples:
    """One random change after another, in the order in which a recording meets them; `other` is a second speaker."""
    odds = chances or Chances()
    changes: tuple[tuple[float, Callable[[Samples], Samples]], ...] = (
        (odds.speed, lambda heard: change_speed(heard, float(chance.uniform(0.84, 1.2)))),
        (odds.silence, lambda heard: add_silence(heard, chance)),
        (odds.equaliser, lambda heard: equalise(heard, chance)),
        (odds.room, lambda heard: add_room(heard, chance)),
        (odds.noise, lambda heard: add_noise(heard, chance)),
        (odds.babble, lambda heard: add_babble(heard, other, chance)),
        (odds.clipping, lambda heard: clip_off(heard, chance)),
        (odds.telephone, lambda heard: telephone(heard, chance)),
        (odds.codec, lambda heard: codec(heard, chance)),
    )
    for share, change in changes:
        if chance.random() < share:
            samples = change(samples)
    peak = max(float(np.abs(samples).max()), 1e-5)
    return (samples * (10 ** (chance.uniform(-25, 0) / 20) / peak)).astype(np.float32)
