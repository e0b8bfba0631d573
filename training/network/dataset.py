"""Clips → batches of log-mel features, without end.

The clips of a manifest are decoded once into one file of 16-bit samples that every process maps into memory. Each
process draws clips by their group's weight, augments the waveform, and computes features with NeMo's preprocessor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from inference.audio.speech import spans
from inference.audio.speech_network import probabilities
from inference.types import Waveform
from training.acoustics.augment import augment
from training.acoustics.warp import warp
from training.files import RecipeError, atomic_path, read_manifest, require_space

_RATE = 16_000
LEVELS = -20.0, 3.0
"""By which clips are made softer or louder than they are, in dB."""
_CUT = 0.5
"""Chance that a clip is heard as the server hears it, which cuts it to where somebody speaks."""
_LESS_SILENCE = int(0.2 * _RATE)
"""Of the silence that the detector's spans keep on each side, so much may go: 0.12 s stay."""
_POOL = 320
"""Clips drawn at a time, then sorted by length, so that a batch holds little padding."""


@dataclass(frozen=True)
class Batch:
    """Features ``[clips, 80, frames]``, their true lengths in frames, token ids padded with 0, their true lengths."""

    features: torch.Tensor
    feature_lengths: torch.Tensor
    tokens: torch.Tensor
    token_lengths: torch.Tensor
    foreign: torch.Tensor
    """Which clips are in another language, written by sound: `[clips]`, booleans."""
    seconds: float
    """Audio in the batch, padding not counted."""


@dataclass(frozen=True)
class Group:
    """Clips of one manifest."""

    manifest: Path
    weight: float
    """Share of all clips drawn, relative to the other groups."""


def _decode(row: dict[str, Any]) -> NDArray[np.int16]:
    path = row["audio_filepath"]
    try:
        samples, rate = soundfile.read(path, dtype="int16")
    except (OSError, soundfile.LibsndfileError) as error:
        raise RecipeError(f"{path} cannot be read ({error}): delete it and make the clips again") from error
    if rate != 16_000 or samples.ndim != 1 or len(samples) < 4_000:
        raise RecipeError(f"{path}: {rate} Hz, shape {samples.shape}; 16 kHz mono of 0.25 s or more wanted")
    return np.asarray(samples, dtype=np.int16)


def _spoken(samples: NDArray[np.int16]) -> tuple[int, int]:
    """Where somebody speaks, by the server's detector; all of a clip where nobody is heard to."""
    found = spans(probabilities(Waveform(samples.astype(np.float32) / np.float32(32768), _RATE)))
    if not found:
        return 0, len(samples)
    return int(found[0].start * _RATE), min(len(samples), int(found[-1].end * _RATE))


def _cut(wave: NDArray[np.float32], spoken: NDArray[np.int64], chance: np.random.Generator) -> NDArray[np.float32]:
    """What a server hears that cuts where nobody speaks, with that much silence beside speech or with less."""
    first, end = (int(each) for each in spoken)
    if first > 0:
        first += int(chance.integers(_LESS_SILENCE))
    if end < len(wave):
        end -= int(chance.integers(_LESS_SILENCE))
    return wave[first:end]


class Arena:
    """Decoded clips of one manifest: ``arena[i]`` is the float32 waveform of row i."""

    def __init__(self, manifest: Path, cache: Path) -> None:
        """Decode into `cache`, or map what an earlier run of the same manifest decoded."""
        self.rows = read_manifest(manifest)
        if not self.rows:
            raise RecipeError(f"{manifest} names no clips")
        stamp = f"{manifest.parent.name}-{manifest.stem}-{manifest.stat().st_mtime_ns}"
        self._samples_path, self._offsets_path = cache / f"{stamp}.pcm", cache / f"{stamp}.npy"
        if not self._offsets_path.exists():
            self._decode_all(cache)
        self.offsets = np.load(self._offsets_path)
        self.spoken = np.load(cache / f"{stamp}-spoken.npy")
        """First sample of speech in each clip and the one behind its last: `[clips, 2]`."""
        self.samples = np.memmap(self._samples_path, dtype=np.int16, mode="r")

    def _decode_all(self, cache: Path) -> None:
        cache.mkdir(parents=True, exist_ok=True)
        lengths, spoken = [], []
        with atomic_path(self._samples_path) as temporary, temporary.open("wb") as sink, ThreadPoolExecutor(2) as pool:
            for samples in tqdm(pool.map(_decode, self.rows), total=len(self.rows), desc="decode", unit="clip"):
                require_space(cache)
                lengths.append(len(samples))
                spoken.append(_spoken(samples))
                sink.write(samples.tobytes())
        spoken_path = self._offsets_path.with_stem(f"{self._offsets_path.stem}-spoken")
        with atomic_path(spoken_path) as temporary, temporary.open("wb") as sink:
            np.save(sink, np.array(spoken))
        with atomic_path(self._offsets_path) as temporary, temporary.open("wb") as sink:
            np.save(sink, np.concatenate([[0], np.cumsum(lengths)]))

    def __getitem__(self, index: int) -> NDArray[np.float32]:
        """Waveform of row `index`."""
        return self.samples[self.offsets[index] : self.offsets[index + 1]].astype(np.float32) / np.float32(32768)

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Length of every clip."""
        return np.asarray(np.diff(self.offsets) / 16_000)


@dataclass(frozen=True)
class Draw:
    """How clips become batches."""

    batch_seconds: float
    """Audio in a batch, padding counted."""
    longest: float = 16.0
    """Clips of more seconds are left out."""
    seed: tuple[int, ...] = (0,)


def by_speaker(speakers: list[str]) -> NDArray[np.float64]:
    """Chance of each clip, given who speaks it: a speaker of n clips is drawn √n times as often as one of one.

    By clips alone, whoever recorded most would be most of what is heard; by speakers alone, one clip of a rare speaker
    would be heard hundreds of times. Clips without a speaker are equally likely.
    """
    counts = Counter(speakers)
    odds = np.array([counts[speaker] ** -0.5 if speaker else 1.0 for speaker in speakers])
    return np.asarray(odds / odds.sum())


class Stream:
    """Endless augmented batches from arenas, each drawn from in proportion to its weight."""

    def __init__(self, arenas: list[tuple[Arena, float]], model: Any, draw: Draw) -> None:
        """Tokenize every text; `model` lends its tokenizer and its preprocessor."""
        self.arenas = [arena for arena, _ in arenas]
        total = sum(weight for _, weight in arenas)
        self.weights = np.array([weight / total for _, weight in arenas])
        ids = model.tokenizer.text_to_ids
        self.tokens = [[np.array(ids(row["text"]), dtype=np.int64) for row in arena.rows] for arena in self.arenas]
        self.preprocessor, self.draw = model.preprocessor, draw
        self.strength = 1.0
        """Share of the clips that are augmented; training raises it as the model learns."""
        self.eligible = [np.flatnonzero(arena.seconds <= draw.longest) for arena in self.arenas]
        if not all(len(rows) for rows in self.eligible):
            raise RecipeError(f"a manifest has no clip of {draw.longest} s or less")
        self.chances = [
            by_speaker([arena.rows[index].get("speaker", "") for index in rows])
            for arena, rows in zip(self.arenas, self.eligible, strict=True)
        ]

    def __iter__(self) -> Iterator[Batch]:
        """Batches, drawn from the seed."""
        chance = np.random.default_rng(self.draw.seed)
        while True:
            chosen = chance.choice(len(self.arenas), size=_POOL, p=self.weights)
            drawn = [(int(g), int(chance.choice(self.eligible[g], p=self.chances[g]))) for g in chosen]
            drawn.sort(key=lambda item: self.arenas[item[0]].seconds[item[1]])
            batches = self._cut(drawn)
            for index in chance.permutation(len(batches)):
                yield self._collate(batches[index], chance)

    def _cut(self, drawn: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
        batches: list[list[tuple[int, int]]] = [[]]
        for item in drawn:
            length = self.arenas[item[0]].seconds[item[1]]
            if batches[-1] and length * (len(batches[-1]) + 1) > self.draw.batch_seconds:
                batches.append([])
            batches[-1].append(item)
        return batches

    def _collate(self, items: list[tuple[int, int]], chance: np.random.Generator) -> Batch:
        waves, changed = [], []
        for position, (group, row) in enumerate(items):
            wave = self.arenas[group][row]
            if chance.random() < _CUT:
                wave = _cut(wave, self.arenas[group].spoken[row], chance)
            changed.append(chance.random() < self.strength)
            if changed[-1]:
                # No one talks behind a clip without speech, whose text says that no one does.
                other, place = items[position - 1] if len(self.tokens[group][row]) else (group, row)
                wave = augment(wave, self.arenas[other][place], chance)  # which chooses how loud it is, too
            else:
                wave = wave * np.float32(10 ** (chance.uniform(*LEVELS) / 20))
            waves.append(torch.from_numpy(wave))
        lengths = torch.tensor([len(wave) for wave in waves])
        audio = torch.nn.utils.rnn.pad_sequence(waves, batch_first=True)
        tokens = [torch.from_numpy(self.tokens[group][row]) for group, row in items]
        with torch.no_grad():
            features, feature_lengths = self.preprocessor(input_signal=audio, length=lengths)
        kept = [clip[:, :length] for clip, length in zip(features, feature_lengths, strict=True)]
        kept = [warp(clip, chance) if odd else clip for clip, odd in zip(kept, changed, strict=True)]
        return Batch(
            torch.nn.utils.rnn.pad_sequence([clip.T for clip in kept], batch_first=True).transpose(1, 2),
            torch.tensor([clip.shape[1] for clip in kept]),
            torch.nn.utils.rnn.pad_sequence(tokens, batch_first=True),
            torch.tensor([len(ids) for ids in tokens]),
            torch.tensor([self.arenas[group].rows[row].get("language", "hi") != "hi" for group, row in items]),
            float(lengths.sum()) / 16_000,
        )
