"""Music by made-up instruments: plucked, struck, blown and bowed, chords, tunes and drones, drums; no two alike.

Sampled instruments (`training.general_midi`) are the few that somebody recorded. A detector that learnt from those took
the first chord of a plain synthesiser for a syllable: it begins and dies away as one does.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from training.acoustics.augment import add_room, band_limit, coloured_noise
from training.utterance import SAMPLE_RATE, Samples

Chance = np.random.Generator
Instrument = Callable[[float, int], NDArray[np.float64]]
"""A note: its Hz and its samples → `[samples]`, at any level."""

_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9), (0, 1, 4, 5, 7, 8, 11), (0, 7, 12))
_ANY = tuple(range(12))
_HIGHEST = 0.97 * SAMPLE_RATE / 2
_RELEASE = int(0.02 * SAMPLE_RATE)


def _partials(
    hertz: float, ratios: NDArray[np.float64], loudness: NDArray[np.float64], time: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sines at `hertz * ratios`, `loudness` `[ratios, samples or 1]`; `time` may run unevenly, which bends them."""
    audible = hertz * ratios < _HIGHEST
    turns = 2 * np.pi * hertz * time
    parts = [loud * np.sin(ratio * turns) for ratio, loud in zip(ratios[audible], loudness[audible], strict=True)]
    return np.sum(parts, axis=0) if parts else np.zeros_like(time)


def _begun(time: NDArray[np.float64], seconds: float) -> NDArray[np.float64]:
    return np.minimum(1, time / seconds)


def _ratios(chance: Chance) -> NDArray[np.float64]:
    """Harmonics, stretched harmonics as of stiff strings, or those of bars, bells and glasses."""
    numbers = np.arange(1.0, int(chance.integers(2, 17)))
    if chance.random() < 0.2:
        return np.concatenate([[1.0], 1 + np.cumsum(chance.uniform(0.2, 2.5, numbers.size))])
    if chance.random() < 0.15:
        numbers = 2 * numbers - 1
    stiffness = float(10 ** chance.uniform(-5, -2.5)) if chance.random() < 0.4 else 0.0
    return np.asarray(numbers * np.sqrt(1 + stiffness * numbers**2))


def struck(chance: Chance) -> Instrument:
    """Partials that die away, high ones sooner: piano, guitar, harp, santoor, bells, a synthesiser's pluck."""
    ratios = _ratios(chance)
    loudness = ratios ** -float(chance.uniform(0.3, 2.5))
    if chance.random() < 0.4:
        loudness *= np.abs(np.sin(np.pi * ratios * chance.uniform(0.05, 0.5)))  # where it is plucked
    decays = float(np.exp(chance.uniform(np.log(0.7), np.log(20)))) * ratios ** float(chance.uniform(0, 1))
    attack = float(10 ** chance.uniform(-3.5, -1.3))
    bend = float(chance.uniform(-0.12, 0.12)) if chance.random() < 0.25 else 0.0
    knock = float(chance.uniform(0, 1)) if chance.random() < 0.3 else 0.0
    buzz = float(chance.uniform(0.5, 4)) if chance.random() < 0.2 else 0.0  # tanpura: overtones bloom one by one

    def sound(hertz: float, count: int) -> NDArray[np.float64]:
        time = np.arange(count) / SAMPLE_RATE
        loud = loudness[:, None] * np.exp(-decays[:, None] * time)
        if buzz:
            blooms = np.log(ratios)[:, None] - np.log(1 + ratios[-1] * np.exp(-buzz * time))
            loud = loud * (0.1 + np.exp(-4 * blooms**2))
        bent = time + bend / 8 * (1 - np.exp(-8 * time))
        noise = knock * coloured_noise(count, 1.0, chance) * np.exp(-time / 0.008)
        return (_partials(hertz, ratios, loud, bent) + noise) * _begun(time, attack)

    return sound


def string(chance: Chance) -> Instrument:
    """Karplus and Strong's (1983): noise that runs round in a loop that dulls it; some buzz as a sitar."""
    dull, stays = float(chance.uniform(0.02, 0.5)), float(chance.uniform(0.9, 1))
    softness = float(chance.uniform(0, 0.95))
    buzz = float(chance.uniform(2, 12)) if chance.random() < 0.3 else 0.0

    def sound(hertz: float, count: int) -> NDArray[np.float64]:
        period = max(4, round(SAMPLE_RATE / hertz))
        pluck = np.zeros(count)
        burst = chance.uniform(-1, 1, period)[:count]
        pluck[: burst.size] = lfilter([1 - softness], [1, -softness], burst - burst.mean())
        loop = np.zeros(period + 2)
        loop[0], loop[period], loop[period + 1] = 1, -(stays ** (1 / 4)) * (1 - dull), -(stays ** (1 / 4)) * dull
        heard = lfilter([1.0], loop, pluck)
        return np.asarray(np.tanh(buzz * heard / max(float(np.abs(heard).max()), 1e-9)) if buzz else heard)

    return sound


def modulated(chance: Chance) -> Instrument:
    """Chowning's frequency modulation (1973): electric pianos, brass, bells, basses of the eighties."""
    ratio = float(chance.choice([0.5, 1, 1, 2, 3, 1.41, 3.5, chance.uniform(0.5, 7)]))
    index, falls = float(chance.uniform(0.3, 8)), float(chance.uniform(0, 12))
    attack, decay = float(10 ** chance.uniform(-3, -0.8)), float(chance.uniform(0, 8))

    def sound(hertz: float, count: int) -> NDArray[np.float64]:
        time = np.arange(count) / SAMPLE_RATE
        bright = index * np.exp(-falls * time) * min(1.0, 1500 / (hertz * ratio))
        turns = 2 * np.pi * hertz * time
        return np.asarray(np.sin(turns + bright * np.sin(ratio * turns)) * np.exp(-decay * time) * _begun(time, attack))

    return sound


def held(chance: Chance) -> Instrument:
    """Tones that last: organ, harmonium, shehnai, flute, strings, a pad; some with vibrato, breath, several pipes."""
    numbers = np.arange(1.0, int(chance.integers(2, 20)))
    loudness = numbers ** -float(chance.uniform(0.2, 2.5)) * chance.uniform(0.2, 1, numbers.size)
    if chance.random() < 0.3:
        loudness[1::2] *= float(chance.uniform(0, 0.3))
    bodies = chance.uniform(200, 3500, int(chance.integers(0, 4)))
    pipes = 1 + chance.normal(0, 0.004, int(chance.integers(1, 4)))
    rate, depth = float(chance.uniform(3, 8)), float(chance.choice([0, 0, 0.3, 1]) * chance.uniform(0, 0.02))
    trembles = float(chance.uniform(0, 0.5)) if chance.random() < 0.3 else 0.0
    attack, breath = float(10 ** chance.uniform(-2.5, -0.5)), max(0.0, float(chance.uniform(-0.3, 0.15)))
    slide = float(chance.uniform(-0.12, 0.12)) if chance.random() < 0.3 else 0.0

    def sound(hertz: float, count: int) -> NDArray[np.float64]:
        time = np.arange(count) / SAMPLE_RATE
        wobble = depth * np.sin(2 * np.pi * rate * time) / (2 * np.pi * rate) + slide / 8 * (1 - np.exp(-8 * time))
        body = sum((np.exp(-(((hertz * numbers - place) / 200) ** 2)) for place in bodies), np.full(numbers.size, 0.1))
        loud = (loudness * body if bodies.size else loudness)[:, None]
        pipe_tones = [_partials(hertz * pipe, numbers, loud, time + wobble) for pipe in pipes]
        tone = np.sum(pipe_tones, axis=0)
        tone = tone / max(float(np.abs(tone).max()), 1e-9) + breath * coloured_noise(count, 0.5, chance)
        return np.asarray(tone * (1 + trembles * np.sin(2 * np.pi * rate * time)) * _begun(time, attack))

    return sound


def drum(chance: Chance) -> Instrument:
    """A skin that is struck, its tone falling as on a tabla's left; or sticks, shakers and cymbals."""
    if chance.random() < 0.4:
        low, decay = float(chance.uniform(200, 4000)), float(chance.uniform(8, 120))
        return lambda _, count: np.asarray(
            band_limit(coloured_noise(count, 0.0, chance), low, 4 * low)
            * np.exp(-decay * np.arange(count) / SAMPLE_RATE)
        )
    modes = np.array([1, 1.59, 2.14, 2.3, 2.65]) if chance.random() < 0.5 else np.arange(1.0, 6)  # a tabla is tuned
    loudness, decays = chance.uniform(0.1, 1, modes.size), float(chance.uniform(4, 30)) * modes**0.5
    falls, knock = float(chance.uniform(-0.3, 1.5)), float(chance.uniform(0, 1))

    def sound(hertz: float, count: int) -> NDArray[np.float64]:
        time = np.arange(count) / SAMPLE_RATE
        bent = time + falls / 20 * (1 - np.exp(-20 * time))
        noise = knock * coloured_noise(count, 0.7, chance) * np.exp(-time / 0.006)
        return _partials(hertz, modes, loudness[:, None] * np.exp(-decays[:, None] * time), bent) + noise

    return sound


_TUNED = (struck, struck, string, modulated, held)


def _part(count: int, chance: Chance) -> Samples:
    """One instrument: a tune, chords, broken chords, a drone; steady or free, some with long rests."""
    drums = chance.random() < 0.2
    instrument = drum(chance) if drums else _TUNED[int(chance.integers(len(_TUNED)))](chance)
    scale = _ANY if chance.random() < 0.4 else _SCALES[int(chance.integers(len(_SCALES)))]
    root, beat = float(2 ** chance.uniform(6, 9.2)), int(SAMPLE_RATE * 2 ** chance.uniform(-3.3, 0.3))
    octaves, together = int(chance.integers(1, 3)), 1 if drums else int(chance.choice([1, 1, 2, 3, 3, 4]))
    spread = int(chance.choice([0, 0, chance.uniform(0, 0.08), chance.uniform(0, 0.25)]) * SAMPLE_RATE)
    length = int(np.clip(beat * chance.uniform(0.5, 6), 0.1 * SAMPLE_RATE, 2.5 * SAMPLE_RATE))
    free, rests, pauses = chance.random() < 0.4, float(chance.uniform(0, 0.4)), chance.random() < 0.3
    release = np.minimum(1, np.arange(length)[::-1] / _RELEASE)
    pitches = np.add.outer(12 * np.arange(octaves), scale).ravel()
    notes: dict[int, Samples] = {}  # each made once: they take most of the time
    line = np.zeros(count + length + 4 * spread, np.float32)
    at = 0 if chance.random() < 0.5 else int(chance.integers(beat))
    while at < count:
        if chance.random() >= rests:
            for place, pitch in enumerate(chance.choice(pitches, min(together, pitches.size), replace=False).tolist()):
                if pitch not in notes:
                    notes[pitch] = (instrument(root * 2 ** (pitch / 12), length) * release).astype(np.float32)
                first = at + place * spread
                line[first : first + length] += float(chance.uniform(0.3, 1)) * notes[pitch]
        at += int(beat * (chance.choice([0.5, 1, 1, 1, 2]) if free else 1))
        if pauses and chance.random() < 0.1:
            at += int(SAMPLE_RATE * chance.uniform(0.3, 3))
    return line[:count] / max(float(np.abs(line[:count]).max()), 1e-9)


def music(count: int, chance: Chance) -> Samples:
    """A piece of one to three parts, half of them in a room."""
    parts = [float(chance.uniform(0.2, 1)) * _part(count, chance) for _ in range(int(chance.choice([1, 1, 2, 3])))]
    piece = np.asarray(np.sum(parts, axis=0, dtype=np.float32))
    return add_room(piece, chance) if chance.random() < 0.5 else piece
