"""More sounds without speech, beside those of `training.wordless`: what streets, exchanges and synthesisers make."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.acoustics.augment import add_room, band_limit, coloured_noise
from training.utterance import SAMPLE_RATE, Samples

Chance = np.random.Generator


def _glide(hertz: NDArray[np.float64]) -> Samples:
    """A tone whose frequency is given for each sample."""
    return np.sin(2 * np.pi * np.cumsum(hertz) / SAMPLE_RATE).astype(np.float32)


def _slow(count: int, chance: Chance, low: float, high: float, seconds: float) -> NDArray[np.float64]:
    """A line that wanders between `low` and `high`, with a knot every `seconds`."""
    knots = max(2, int(count / SAMPLE_RATE / seconds) + 2)
    return np.interp(np.arange(count), np.linspace(0, count, knots), chance.uniform(low, high, knots))


def traffic(count: int, chance: Chance) -> Samples:
    """Cars that come and go over the roar of a street, and a horn now and then."""
    street = 0.3 * coloured_noise(count, 1.5, chance)
    for _ in range(int(chance.integers(1, 4))):
        seconds = (np.arange(count) - int(chance.integers(count))) / SAMPLE_RATE
        passing = np.exp(-((seconds / chance.uniform(0.3, 1.5)) ** 2))
        low = float(chance.uniform(60, 300))
        tyres = band_limit(coloured_noise(count, 1.0, chance), low, float(chance.uniform(1000, 4000)))
        street = street + tyres * passing / max(float(tyres.std()), 1e-6)
    if chance.random() < 0.3:
        base, start = float(chance.uniform(300, 600)), int(chance.integers(count))
        length = min(int(SAMPLE_RATE * chance.uniform(0.2, 0.8)), count - start)
        time = np.arange(length) / SAMPLE_RATE
        horn = sum(np.sin(2 * np.pi * base * ratio * n * time) / n for ratio in (1, 1.26) for n in (1, 2, 3, 4))
        street[start : start + length] += np.float32(chance.uniform(0.3, 1.5)) * np.asarray(horn, np.float32)
    return np.asarray(street, dtype=np.float32)


def fax(count: int, chance: Chance) -> Samples:
    """A machine that calls: 1100 and 2100 Hz, then data as phases and frequencies in quick change."""
    baud, carrier = int(chance.choice([300, 1200, 2400])), float(chance.uniform(1080, 1850))
    symbols = chance.choice([-1.0, 1.0], count * baud // SAMPLE_RATE + 1) * chance.choice([100.0, 150.0, 400.0])
    data = _glide(carrier + np.repeat(symbols, SAMPLE_RATE // baud + 1)[:count])
    calls = np.arange(count) % (SAMPLE_RATE * 2) < SAMPLE_RATE // 2
    tone = _glide(np.full(count, float(chance.choice([1100, 2100])))) * calls
    where = int(count * chance.uniform(0, 1))
    return np.concatenate([tone[:where], data[where:]]).astype(np.float32)


def siren(count: int, chance: Chance) -> Samples:
    """A tone that wails, yelps or changes between two heights, with overtones."""
    low = float(chance.uniform(300, 900))
    high, rate = low * float(chance.uniform(1.2, 2.5)), float(chance.uniform(0.2, 5))
    phase = np.arange(count) * rate / SAMPLE_RATE % 1
    shape = [np.abs(2 * phase - 1), phase, (phase < 0.5).astype(float)][int(chance.integers(3))]
    base = low + (high - low) * shape
    return add_room(np.asarray(sum(_glide(base * n) / n**1.5 for n in (1, 2, 3, 4)), dtype=np.float32), chance)


def melody(count: int, chance: Chance) -> Samples:
    """Bowed or blown notes one after another, with vibrato, swelling and overtones in fixed places, as violins have."""
    hertz, loud = np.zeros(count), np.zeros(count)
    root, at = float(chance.uniform(130, 600)), 0
    while at < count:
        length = min(int(SAMPLE_RATE * chance.uniform(0.1, 0.9)), count - at)
        hertz[at : at + length] = root * 2 ** (int(chance.choice([0, 2, 3, 4, 5, 7, 9, 10, 12])) / 12)
        loud[at : at + length] = np.minimum(1, np.linspace(0, chance.uniform(3, 20), length)) * chance.uniform(0.3, 1)
        at += length
    vibrato = np.sin(2 * np.pi * chance.uniform(4, 7) * np.arange(count) / SAMPLE_RATE)
    hertz *= 1 + chance.uniform(0, 0.02) * vibrato
    body = [float(chance.uniform(300, 3000)) for _ in range(3)]
    voice = np.zeros(count)
    for n in range(1, 11):
        resonance = 0.05 + sum(np.exp(-(((hertz * n - place) / 250) ** 2)) for place in body)
        voice += _glide(hertz * n) * resonance * (hertz * n < SAMPLE_RATE / 2)
    return add_room((voice * loud).astype(np.float32), chance)


def band(count: int, chance: Chance) -> Samples:
    """Drums, bass and chords to a beat: what a synthesiser plays by itself."""
    beat = int(SAMPLE_RATE * chance.uniform(0.25, 0.6))
    line = np.zeros(count, np.float32)
    root = float(chance.uniform(80, 200))
    for number, at in enumerate(range(0, count, beat // 2)):
        time = np.arange(min(beat, count - at)) / SAMPLE_RATE
        sounds = [np.sin(2 * np.pi * 60 * np.exp(-time * 8) * time * 4) * np.exp(-time * 15)] if number % 4 == 0 else []
        hat = coloured_noise(max(len(time), 16), -0.5, chance)[: len(time)]
        sounds.append(float(chance.uniform(0, 0.3)) * hat * np.exp(-time * chance.uniform(20, 80)))
        step = int(chance.choice([0, 3, 5, 7, 10]))
        for interval in (0, 7, 12, 16)[: 1 + number % 4]:
            note = root * 2 ** ((step + interval) / 12)
            saw = sum(np.sin(2 * np.pi * note * n * time) / n for n in range(1, 8))
            sounds.append(0.3 * saw * np.exp(-time * chance.uniform(1, 8)))
        line[at : at + len(time)] += np.asarray(sum(sounds), np.float32)
    return add_room(line, chance)


def surf(count: int, chance: Chance) -> Samples:
    """Waves that break on a beach."""
    swell = _slow(count, chance, 0.05, 1, 1.5) ** 2
    return np.asarray(coloured_noise(count, float(chance.uniform(0.3, 1.2)), chance) * swell, dtype=np.float32)


def bells(count: int, chance: Chance) -> Samples:
    """Struck metal: partials that are no multiples of one another, dying away."""
    line = np.zeros(count, np.float32)
    for _ in range(max(1, int(count / SAMPLE_RATE * chance.uniform(0.3, 3)))):
        at, base = int(chance.integers(count)), float(chance.uniform(200, 1500))
        time = np.arange(count - at) / SAMPLE_RATE
        for ratio in (0.5, 1, 1.19, 1.56, 2, 2.66, 3.01, 4.1):
            strength, decay = float(chance.uniform(0.1, 1)), float(chance.uniform(0.5, 6))
            line[at:] += (strength * np.sin(2 * np.pi * base * ratio * time) * np.exp(-time * decay)).astype(np.float32)
    return line


def whistle(count: int, chance: Chance) -> Samples:
    """Somebody whistles or a kettle does: a tone that slides and trembles, in breaths."""
    hertz = _slow(count, chance, float(chance.uniform(500, 1200)), float(chance.uniform(1200, 4000)), 0.15)
    hertz *= 1 + 0.03 * chance.random() * np.sin(2 * np.pi * chance.uniform(4, 9) * np.arange(count) / SAMPLE_RATE)
    breath = np.clip(_slow(count, chance, -1, 1.5, float(chance.uniform(0.05, 0.4))), 0, 1)
    hiss = float(chance.uniform(0, 0.2)) * coloured_noise(count, 0.0, chance)
    return np.asarray((_glide(hertz) + hiss) * breath, dtype=np.float32)
