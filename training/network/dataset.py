"""Clips → batches of log-mel features, without end.

Each process draws clips by their group's weight, some of them several at once, augments the waveform, and computes
features with NeMo's preprocessor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.acoustics.augment import augment
from training.acoustics.warp import warp
from training.files import RecipeError
from training.network.arena import Arena, cut
from training.utterance import SAMPLE_RATE

LEVELS = -20.0, 3.0
"""By which clips are made softer or louder than they are, in dB."""
_CUT = 0.5
"""Chance that a clip is heard as the server hears it, which cuts it to where somebody speaks."""
_JOINED = 0.3
"""Chance that others are heard behind a clip, as in recordings: who only ever heard one sentence hears no second."""
_PAUSE = 0.3
"""Seconds between them, in the mean."""
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


@dataclass(frozen=True)
class Draw:
    """How clips become batches."""

    batch_seconds: float
    """Audio in a batch, padding counted."""
    longest: float = 16.0
    """Clips of more seconds are left out."""
    seed: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class _Item:
    """What is heard at once: clips of one group, one after another."""

    group: int
    rows: tuple[int, ...]


def by_speaker(speakers: list[str]) -> NDArray[np.float64]:
    """Chance of each clip, given who speaks it: a speaker of n clips is drawn √n times as often as one of one.

    By clips alone, whoever recorded most would be most of what is heard; by speakers alone, one clip of a rare speaker
    would be heard hundreds of times. Clips without a speaker are equally likely.
    """
    counts = Counter(speakers)
    odds = np.array([counts[speaker] ** -0.5 if speaker else 1.0 for speaker in speakers])
    return np.asarray(odds / odds.sum())


def with_clips(arenas: list[tuple[Arena, float]], longest: float) -> list[tuple[Arena, float]]:
    """Those that have clips of at most `longest` seconds; raise RecipeError where there are none."""
    found = [(arena, weight) for arena, weight in arenas if (arena.seconds <= longest).any()]
    if not found:
        raise RecipeError(f"no manifest has a clip of {longest:g} s or less: training begins with such")
    return found


class Stream:
    """Endless augmented batches from arenas, each drawn from in proportion to its weight."""

    def __init__(self, arenas: list[tuple[Arena, float]], model: Any, draw: Draw) -> None:
        """Tokenize every text; `model` lends its tokenizer and a copy of its preprocessor."""
        self.arenas = [arena for arena, _ in arenas]
        total = sum(weight for _, weight in arenas)
        self.weights = np.array([weight / total for _, weight in arenas])
        ids = model.tokenizer.text_to_ids
        self.tokens = [[np.array(ids(row["text"]), dtype=np.int64) for row in arena.rows] for arena in self.arenas]
        self.preprocessor = deepcopy(model.preprocessor).cpu()  # clips are here, wherever the model is
        self.draw = draw
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
            batches = self._batches(sorted((self._draw(int(group), chance) for group in chosen), key=self._seconds))
            for index in chance.permutation(len(batches)):
                yield self._collate(batches[index], chance)

    def _draw(self, group: int, chance: np.random.Generator) -> _Item:
        """A clip, or several of one group that are heard one after another."""
        arena, rows = self.arenas[group], [self._row(group, chance)]
        longest = chance.uniform(0, self.draw.longest) if chance.random() < _JOINED else 0.0
        while True:
            row = self._row(group, chance)
            alike = self._foreign(group, row) == self._foreign(group, rows[0])
            if not alike or arena.seconds[[*rows, row]].sum() + _PAUSE * len(rows) > longest:
                return _Item(group, tuple(rows))
            rows.append(row)

    def _row(self, group: int, chance: np.random.Generator) -> int:
        return int(chance.choice(self.eligible[group], p=self.chances[group]))

    def _foreign(self, group: int, row: int) -> bool:
        return bool(self.arenas[group].rows[row].get("language", "hi") != "hi")

    def _seconds(self, item: _Item) -> float:
        return float(self.arenas[item.group].seconds[list(item.rows)].sum()) + _PAUSE * (len(item.rows) - 1)

    def _wave(self, item: _Item, chance: np.random.Generator) -> NDArray[np.float32]:
        arena, parts = self.arenas[item.group], list[NDArray[np.float32]]()
        for row in item.rows:
            wave = arena[row]
            if chance.random() < _CUT:
                wave = cut(wave, arena.spoken[row], chance)
            if parts:
                parts.append(np.zeros(int(SAMPLE_RATE * min(2.0, chance.exponential(_PAUSE))), np.float32))
            parts.append(wave)
        return np.concatenate(parts)

    def _batches(self, drawn: list[_Item]) -> list[list[_Item]]:
        batches: list[list[_Item]] = [[]]
        for item in drawn:
            length = self._seconds(item)
            if batches[-1] and length * (len(batches[-1]) + 1) > self.draw.batch_seconds:
                batches.append([])
            batches[-1].append(item)
        return batches

    def _collate(self, items: list[_Item], chance: np.random.Generator) -> Batch:
        waves, changed = [], []
        texts = [np.concatenate([self.tokens[item.group][row] for row in item.rows]) for item in items]
        for position, item in enumerate(items):
            wave = self._wave(item, chance)
            changed.append(chance.random() < self.strength)
            if changed[-1]:
                # No one talks behind a clip without speech, whose text says that no one does.
                other = items[position - 1] if len(texts[position]) else item
                wave = augment(wave, self._wave(other, chance), chance)  # which chooses how loud it is, too
            else:
                wave = wave * np.float32(10 ** (chance.uniform(*LEVELS) / 20))
            waves.append(torch.from_numpy(wave))
        lengths = torch.tensor([len(wave) for wave in waves])
        audio = torch.nn.utils.rnn.pad_sequence(waves, batch_first=True)
        tokens = [torch.from_numpy(text) for text in texts]
        with torch.no_grad():
            features, feature_lengths = self.preprocessor(input_signal=audio, length=lengths)
        kept = [clip[:, :length] for clip, length in zip(features, feature_lengths, strict=True)]
        kept = [warp(clip, chance) if odd else clip for clip, odd in zip(kept, changed, strict=True)]
        return Batch(
            torch.nn.utils.rnn.pad_sequence([clip.T for clip in kept], batch_first=True).transpose(1, 2),
            torch.tensor([clip.shape[1] for clip in kept]),
            torch.nn.utils.rnn.pad_sequence(tokens, batch_first=True),
            torch.tensor([len(ids) for ids in tokens]),
            torch.tensor([self._foreign(item.group, item.rows[0]) for item in items]),
            float(lengths.sum()) / SAMPLE_RATE,
        )
