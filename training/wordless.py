"""Clips without speech, with empty text: silence, noises, tones, rings, rain, music.

    python -m training.wordless --count 1200 --out training/build/wordless

A model that has only ever heard speech hears it in everything, and its language model makes the rest fluent.
``--test`` makes others, of kinds that no training clip has as well, to count how many still give a text.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from training.acoustics.augment import add_room, band_limit, coloured_noise
from training.acoustics.sounds import band, bells, fax, melody, siren, surf, traffic, whistle
from training.files import atomic_path, command, write_manifest
from training.utterance import SAMPLE_RATE, Samples

Chance = np.random.Generator
_PEAK = 0.95


def _time(count: int) -> Samples:
    return np.asarray(np.arange(count) / SAMPLE_RATE, dtype=np.float32)


def _tone(count: int, hertz: float) -> Samples:
    return np.asarray(np.sin(2 * np.pi * hertz * _time(count)), dtype=np.float32)


def _strewn(count: int, sounds: list[Samples], places: NDArray[np.int64]) -> Samples:
    """`sounds` in turn, each starting at one of `places`, in `count` samples."""
    line = np.zeros(count, np.float32)
    for number, place in enumerate(places):
        sound = sounds[number % len(sounds)][: count - place]
        line[place : place + len(sound)] += sound
    return line


def _decaying(sound: Samples, seconds: float) -> Samples:
    return np.asarray(sound * np.exp(-_time(len(sound)) / seconds), dtype=np.float32)


def silence(count: int, _chance: Chance) -> Samples:
    """Nothing at all."""
    return np.zeros(count, np.float32)


def noise(count: int, chance: Chance) -> Samples:
    """Steady noise between violet and brown."""
    return coloured_noise(count, float(chance.uniform(-1, 2)), chance)


def wind(count: int, chance: Chance) -> Samples:
    """Low noise that swells and falls."""
    slow = np.interp(np.arange(count), np.linspace(0, count, 12), chance.uniform(0.05, 1, 12))
    return (coloured_noise(count, float(chance.uniform(1, 2)), chance) * slow).astype(np.float32)


def hum(count: int, chance: Chance) -> Samples:
    """Mains hum at 50 or 60 Hz with its harmonics, over a little noise."""
    base = float(chance.choice([50, 60]))
    parts = [_tone(count, base * n) * float(chance.uniform(0, 1) / n) for n in range(1, 9)]
    return np.asarray(sum(parts) + 0.05 * coloured_noise(count, 1.0, chance), dtype=np.float32)


def tone(count: int, chance: Chance) -> Samples:
    """One tone, or one that glides."""
    first, last = chance.uniform(80, 3000, 2)
    if chance.random() < 0.6:
        return _tone(count, float(first))
    return np.sin(2 * np.pi * np.cumsum(np.linspace(first, last, count)) / SAMPLE_RATE).astype(np.float32)


def beeps(count: int, chance: Chance) -> Samples:
    """A tone on and off: busy lines, alarms, a heart monitor."""
    period, share = float(chance.uniform(0.15, 2)), float(chance.uniform(0.2, 0.7))
    sounding = (_time(count) % period) < period * share
    return (_tone(count, float(chance.uniform(200, 2500))) * sounding).astype(np.float32)


def ringing(count: int, chance: Chance) -> Samples:
    """A telephone that rings, as India's and America's exchanges do."""
    pair = [(400.0, 425.0), (440.0, 480.0), (375.0, 425.0)][int(chance.integers(3))]
    sounding = ((_time(count) + float(chance.uniform(0, 3))) % 3) < 1.2
    return ((_tone(count, pair[0]) + _tone(count, pair[1])) * sounding).astype(np.float32)


def keys(count: int, chance: Chance) -> Samples:
    """DTMF, key after key."""
    length = int(SAMPLE_RATE * chance.uniform(0.06, 0.2))
    pairs = [(low, high) for low in (697, 770, 852, 941) for high in (1209, 1336, 1477)]
    sounds = [_tone(length, low) + _tone(length, high) for low, high in pairs]
    places = np.arange(0, count, int(length * chance.uniform(1.3, 4)), dtype=np.int64)
    return _strewn(count, [sounds[int(chance.integers(len(sounds)))] for _ in places] or sounds, places)


def chord(count: int, chance: Chance) -> Samples:
    """Three or four notes held together."""
    root = float(chance.uniform(80, 500))
    steps = [0, *chance.choice([[4, 7, 12], [3, 7, 12], [4, 7, 10]])]
    parts = [_tone(count, root * 2 ** (step / 12) * n) / n for step in steps for n in (1, 2, 3)]
    return np.asarray(sum(parts), dtype=np.float32)


def music(count: int, chance: Chance) -> Samples:
    """Plucked notes of a scale, with overtones, in a room."""
    beat, root = int(SAMPLE_RATE * chance.uniform(0.12, 0.5)), float(chance.uniform(100, 400))
    scale = [0, 2, 4, 5, 7, 9, 11, 12]
    notes = []
    places = np.arange(0, count, beat, dtype=np.int64)
    for _ in places:
        hertz = root * 2 ** (int(chance.choice(scale)) / 12)
        length = int(beat * chance.uniform(1, 4))
        overtones = [_tone(length, hertz * n) * float(chance.uniform(0.2, 1) / n) for n in range(1, 6)]
        notes.append(_decaying(np.asarray(sum(overtones), dtype=np.float32), float(chance.uniform(0.1, 0.8))))
    return add_room(_strewn(count, notes, places), chance)


def clicks(count: int, chance: Chance) -> Samples:
    """Short knocks, few or many."""
    sounds = [_decaying(coloured_noise(800, 0.5, chance), float(chance.uniform(0.0005, 0.01))) for _ in range(8)]
    places = chance.integers(0, count, max(1, int(count / SAMPLE_RATE * chance.uniform(0.5, 20))))
    return _strewn(count, sounds, places)


def rain(count: int, chance: Chance) -> Samples:
    """Thousands of drops over a hiss."""
    drops = [_decaying(coloured_noise(400, -0.5, chance), float(chance.uniform(0.0003, 0.003))) for _ in range(20)]
    places = chance.integers(0, count, int(count / SAMPLE_RATE * chance.uniform(80, 600)))
    return _strewn(count, drops, places) + 0.03 * coloured_noise(count, 0.3, chance)


def applause(count: int, chance: Chance) -> Samples:
    """Many hands."""
    claps = []
    for _ in range(25):
        low = float(chance.uniform(300, 1200))
        claps.append(_decaying(band_limit(coloured_noise(1600, 0.3, chance), low, low * 4), 0.006))
    people = chance.uniform(0, SAMPLE_RATE / 4, int(chance.uniform(3, 60)))
    places = [np.arange(start, count, chance.uniform(2500, 5500)) for start in people]
    jittered = np.concatenate(places) + chance.uniform(-300, 300, sum(map(len, places)))
    return _strewn(count, claps, np.clip(jittered, 0, count - 1).astype(np.int64))


def breath(count: int, chance: Chance) -> Samples:
    """In and out at a microphone, without a voice."""
    shape = np.maximum(0, np.sin(2 * np.pi * _time(count) / float(chance.uniform(1, 4)))) ** 2
    low = float(chance.uniform(200, 900))
    return np.asarray(band_limit(coloured_noise(count, 0.5, chance), low, low * 5) * shape, dtype=np.float32)


def engine(count: int, chance: Chance) -> Samples:
    """Low pulses in a row, slightly uneven, as motors make."""
    sound = _decaying(coloured_noise(1200, 1.5, chance), 0.01)
    steps = SAMPLE_RATE / chance.uniform(15, 80) * chance.normal(1, 0.03, count // 150)
    places = np.cumsum(np.maximum(steps, 100)).astype(np.int64)
    return _strewn(count, [sound], places[places < count]) + 0.05 * coloured_noise(count, 1.0, chance)


def birds(count: int, chance: Chance) -> Samples:
    """Chirps that glide up or down."""
    calls = []
    for _ in range(6):
        length = int(SAMPLE_RATE * chance.uniform(0.05, 0.25))
        first, last = chance.uniform(1500, 6000, 2)
        glide = np.linspace(float(first), float(last), length)
        calls.append((np.sin(2 * np.pi * np.cumsum(glide) / SAMPLE_RATE) * np.hanning(length)).astype(np.float32))
    places = np.sort(chance.integers(0, count, max(1, int(count / SAMPLE_RATE * chance.uniform(1, 6)))))
    return _strewn(count, calls, places)


_MAKERS = (silence, noise, wind, hum, tone, beeps, ringing, keys, chord, music, clicks, rain, applause, breath, engine)
_MORE = (birds, traffic, fax, siren, melody, band, whistle, surf, bells)
KINDS: dict[str, Callable[[int, Chance], Samples]] = {made.__name__: made for made in (*_MAKERS, *_MORE)}
TEST_KINDS = ("engine", "birds", "applause", "surf", "bells")
"""In no training clip."""


def clip(kind: str, chance: Chance) -> Samples:
    """Half a second to ten of one kind, −80 to −10 dB of full scale (its root mean square), half of it over noise."""
    count = int(SAMPLE_RATE * chance.uniform(0.5, 10))
    samples = KINDS[kind](count, chance)
    if kind != "silence" and chance.random() < 0.5:
        samples = samples + float(chance.uniform(0.01, 0.3)) * coloured_noise(count, 1.0, chance)
    level = float(np.sqrt(np.mean(samples**2)))
    samples = samples * (10 ** (chance.uniform(-80, -10) / 20) / max(level, 1e-9))
    return np.asarray(samples * min(1.0, _PEAK / max(float(np.abs(samples).max()), 1e-9)), dtype=np.float32)


def make(count: int, folder: Path, kinds: tuple[str, ...], seed: int) -> Path:
    """Write `count` clips, kind after kind, and their manifest."""
    rows: list[dict[str, Any]] = []
    for number in range(count):
        chance = np.random.default_rng((seed, number))
        kind = kinds[number % len(kinds)]
        path = folder / "clips" / f"{kind}-{seed}-{number:05d}.flac"
        if not path.exists():
            with atomic_path(path) as temporary:
                soundfile.write(temporary, clip(kind, chance), SAMPLE_RATE, subtype="PCM_16")
        seconds = round(soundfile.info(path).duration, 3)
        rows.append({"audio_filepath": f"clips/{path.name}", "duration": seconds, "text": "", "voice": kind})
    write_manifest(folder / "manifest.jsonl", rows)
    return folder / "manifest.jsonl"


def main() -> None:
    """Run the step from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--test", action="store_true", help="other clips, of all kinds, to measure with")
    options = parser.parse_args()
    kinds = tuple(KINDS) if options.test else tuple(kind for kind in KINDS if kind not in TEST_KINDS)
    print(make(options.count, options.out, kinds, seed=2 if options.test else 1))


if __name__ == "__main__":
    command(main)
