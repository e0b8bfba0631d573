"""What a Conformer has before its first attention learns to give what Whisper's convolutions give.

Whisper's two convolutions bend what all bands say together. A Conformer's see three bands at a time, and only a linear
map behind them sees all; its first feed-forward can bend the whole once. What is missed here, all layers behind it make
more of, and least squares alone miss much. So convolutions, map and feed-forward are taught together, by gradient;
since Adam is slow to turn the large map, that is solved anew between the rounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from training.files import RecipeError
from training.network.model import FEATURES
from training.whisper.encoder import SILENCE, WhisperEncoder
from training.whisper.least_squares import fit
from training.whisper.places import sinusoids

_MEAN, _DEVIATION = FEATURES
_STEPS = 50
"""Of a stretch that one clip lends to a batch: 2 s."""
_CLIPS_AT_ONCE = 36
_LEVELS = -6.6, 1.8
"""By which stretches are softer or louder, in nats of power: what falls below silence is silence."""
_FAINT = 0.3
"""Of a channel's mean variance: those with less count less than they would by their own."""
_QUIET = 0.25
"""Root of the mean square of the maps in the end: loud ones make small changes of the map behind them large."""
_SOLVED_BY = 400
"""Clips."""
_LIKE = 0.01
"""Variance of a channel, of 1 in the mean, below which it is noise."""


@dataclass(frozen=True)
class Round:
    """So many steps of gradient, at a rate that falls as half a cosine."""

    steps: int
    rate: float


ROUNDS = Round(600, 2e-3), Round(600, 6e-4)


class Stem(nn.Module):  # type: ignore[misc]
    """The modules themselves, but for the first convolution, which hears normalised features here, for Adam's sake."""

    def __init__(self, encoder: Any) -> None:
        """Of a NeMo `ConformerEncoder` that hears plain features."""
        super().__init__()
        self._encoder = [encoder]  # a list, so that its other parameters are not this module's
        first, _, self.second, _ = encoder.pre_encode.conv
        self.first = nn.Conv2d(1, first.out_channels, 3, 2, 1)
        self.first.weight.data = first.weight * _DEVIATION
        self.first.bias.data = first.bias + _MEAN * first.weight.sum((1, 2, 3))
        self.out, layer = encoder.pre_encode.out, encoder.layers[0]
        self.norm, self.bends = layer.norm_feed_forward1, layer.feed_forward1

    def maps(self, features: Tensor) -> Tensor:
        """Plain features `[clips, 80, frames]` → `[clips, steps, channels and bands]`."""
        x = ((features - _MEAN) / _DEVIATION).transpose(1, 2)[:, None]
        x = functional.relu(self.second(functional.relu(self.first(x))))
        return x.transpose(1, 2).flatten(2)

    def forward(self, features: Tensor, places: Tensor) -> Tensor:
        """What the first attention hears, less the places, `[clips, steps, width]`, which are given."""
        x: Tensor = self.out(self.maps(features))
        return x + self.bend(x + places)

    def bend(self, x: Tensor) -> Tensor:
        """What the feed-forward adds to a stream."""
        bent: Tensor = 0.5 * self.bends(self.norm(x))
        return bent

    def put_back(self) -> None:
        """Let the encoder's own first convolution hear plain features as this one hears normalised ones."""
        own = self._encoder[0].pre_encode.conv[0]
        own.weight.data = self.first.weight.data / _DEVIATION
        own.bias.data = self.first.bias.data - _MEAN * own.weight.data.sum((1, 2, 3))


class Lesson:
    """A stem, the Whisper that it is to give the streams of, and features of clips, `[80, frames]` each."""

    def __init__(self, stem: Stem, whisper: WhisperEncoder, clips: list[Tensor]) -> None:
        """Weigh the channels; begin with what least squares give."""
        self._stem, self._whisper, self._chance = stem, whisper, np.random.default_rng(0)
        self._clips = [clip[:, : clip.shape[1] // 4 * 4] for clip in clips if clip.shape[1] >= 4 * _STEPS]
        if not self._clips:
            raise RecipeError(f"no clip is as long as {_STEPS / 25:g} s: the stem is taught on longer ones")
        self._places = sinusoids(max(clip.shape[1] for clip in clips) // 4, whisper.d_model)
        with torch.no_grad():
            streams = torch.cat([whisper.stem(clip[None])[0] for clip in self._some()])
            self._variance = streams.var(0)
            self.turn_down(1.0)
            self._weights = _importance(whisper, self._variance)
            _open(stem, streams + self._places[torch.randint(len(self._places), (len(streams),))])

    def _some(self) -> list[Tensor]:
        return self._clips[:: max(1, len(self._clips) // _SOLVED_BY)]

    def turn_down(self, loudness: float) -> None:
        """Let the maps have this root of the mean square; the map behind them makes up for it."""
        with torch.no_grad():
            maps = torch.cat([self._stem.maps(clip[None])[0] for clip in self._some()])
            factor = loudness / maps.square().mean().sqrt()
            self._stem.second.weight *= factor
            self._stem.second.bias *= factor
            self._stem.out.weight /= factor

    def solve(self) -> None:
        """Fit the map behind the convolutions to what the feed-forward does not give."""
        maps, wanted = [], []
        with torch.no_grad():
            for clip in self._some():
                level = float(self._chance.uniform(*_LEVELS))
                features = (clip[None] + level).clamp(min=SILENCE)
                x = self._stem.maps(features)
                maps.append(x[0])
                bent = self._stem.bend(self._stem.out(x) + self._places[: x.shape[1]])
                wanted.append((self._whisper.stem(features) - bent)[0])
            self._stem.out.weight.data, self._stem.out.bias.data = fit(torch.cat(maps), torch.cat(wanted))

    def run(self, course: Round) -> float:
        """Teach by gradient; the share that the last tenth of the steps missed."""
        optimiser = torch.optim.Adam(self._stem.parameters(), lr=course.rate, betas=(0.9, 0.98))
        missed = []
        for step in tqdm(range(course.steps), desc="stem", unit="step"):
            share = min(1.0, (step + 1) / 50) * 0.5 * (1 + np.cos(np.pi * step / course.steps))
            for group in optimiser.param_groups:
                group["lr"] = course.rate * share
            loss = self._missed()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self._stem.parameters(), 1.0)
            optimiser.step()
            missed.append(float(loss.detach()))
        last = missed[-max(1, course.steps // 10) :]
        return sum(last) / len(last)

    def _missed(self) -> Tensor:
        """Share of Whisper's streams that is missed on stretches of clips drawn by chance."""
        stretches, places = [], []
        for number in self._chance.integers(len(self._clips), size=_CLIPS_AT_ONCE):
            clip = self._clips[number]
            start = int(self._chance.integers(clip.shape[1] // 4 - _STEPS + 1))
            stretches.append(clip[:, 4 * start : 4 * (start + _STEPS)] + float(self._chance.uniform(*_LEVELS)))
            places.append(self._places[start : start + _STEPS])
        features = torch.stack(stretches).clamp(min=SILENCE)
        with torch.no_grad():
            wanted = self._whisper.stem(features)
        wrong = (self._stem(features, torch.stack(places)) - wanted)[:, 1:-1].square()
        return (wrong * self._weights).mean() / (self._variance * self._weights).mean()


def _importance(whisper: WhisperEncoder, variance: Tensor) -> Tensor:
    """How much errors of a channel count: by what the first block hears in it, by what all do, and by its variance."""
    heard = [
        block.norm_attention.weight.square() * block.query_key_value.weight.square().sum(0)
        + block.norm_feed_forward.weight.square() * block.first.weight.square().sum(0)
        for block in whisper.layers
    ]
    kinds = (
        heard[0],
        torch.stack([each / each.mean() for each in heard]).sum(0),
        1 / (variance + _FAINT * variance.mean()),
    )
    return torch.stack([each / (each * variance).mean() for each in kinds]).mean(0)


def _open(stem: Stem, streams: Tensor) -> None:
    """Let the feed-forward hear channels of like strength, by chance, and give nothing yet."""
    normalised = functional.layer_norm(streams, streams.shape[1:])
    stem.norm.weight.data = (normalised.var(0) + _LIKE).rsqrt()
    stem.norm.bias.data = -normalised.mean(0) * stem.norm.weight
    nn.init.normal_(stem.bends.linear1.weight, std=streams.shape[1] ** -0.5)
    nn.init.zeros_(stem.bends.linear2.weight)
    nn.init.zeros_(stem.bends.linear2.bias)


def teach_stem(encoder: Any, whisper: WhisperEncoder, clips: list[Tensor], rounds: tuple[Round, ...] = ROUNDS) -> None:
    """Teach a `ConformerEncoder` what it has before its first attention; `clips` are features, `[80, frames]`."""
    encoder.pre_encode.conv.requires_grad_(requires_grad=True)
    stem = Stem(encoder)
    lesson = Lesson(stem, whisper, clips)
    for course in rounds:
        lesson.solve()
        tqdm.write(f"the stem misses {lesson.run(course):.3f}")
    lesson.turn_down(_QUIET)
    stem.put_back()
    encoder.pre_encode.conv.requires_grad_(requires_grad=False)
