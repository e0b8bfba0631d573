"""Teach the speech detector of `inference.audio.speech_network`: a small network over log-mel, Silero its teacher.

    python -m training.speech_detector --speech training/build/people/manifest.jsonl=6 \
        --speech training/build/fast-clips/manifest.jsonl=2 --out inference/audio/speech.npz

Two scenes of five hold no speech at all, but all that fools detectors (`training.wordless`). A scene is heard at
another level each time, and many with one of those that hold no speech behind it: the logarithm is undone for that,
since a gain is a factor inside it and powers of different sounds add up.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from inference.features import FeatureParameters, Featurizer
from training.files import RecipeError, atomic_path, command
from training.speech_material import Material, listen, scene

WIDTH = 64
OFFSETS = ((-1, 0, 1), (-2, 0, 2), (-4, 0, 3), (-8, -4, 0), (-12, -6, 0), (-24, -12, 0))
"""Frames that each layer looks at, counted from its own: together 6 ahead and 51 behind."""
_STACKED = 4  # frames of 10 ms in one of 40
_BATCH = 24
_SPOKEN_OF_FIVE = 3
_AMONG_SOUNDS = 0.4
"""Share of scenes that are heard with another one, without speech, that is softer by `_SOFTER`."""
_SOFTER = (3.0, 35.0)  # dB
_LOUDER = (-35.0, 10.0)  # dB, of every scene
_LICENCE = "Apache-2.0"


class Network(nn.Module):  # type: ignore[misc] # torch has no types here
    """Log-mel `[batch, 80, 4 * frames]` → logits of speech `[batch, frames]`."""

    def __init__(self, bins: int = 80) -> None:
        super().__init__()
        self.bins = bins
        self.first = nn.Linear(_STACKED * bins + _STACKED, WIDTH)
        self.layers = nn.ModuleList(nn.Linear(len(offsets) * WIDTH, WIDTH) for offsets in OFFSETS)
        self.last = nn.Linear(WIDTH, 1)

    def forward(self, log_mel: Tensor) -> Tensor:
        """As above."""
        batch, bins, frames = log_mel.shape
        stacked = log_mel.transpose(1, 2).reshape(batch, frames // _STACKED, _STACKED, bins)
        # Level and colour apart: a linear map of the same numbers, but one that learns faster. `export` folds it in.
        level = stacked.mean(dim=3, keepdim=True)
        shape = (stacked - level) / 3
        hidden = functional.relu(self.first(torch.cat([shape.flatten(2), level.flatten(2) / 5 - 2], dim=2)))
        for layer, offsets in zip(self.layers, OFFSETS, strict=True):
            before, behind = -min(offsets), max(offsets)
            padded = functional.pad(hidden, (0, 0, before, behind))
            count = hidden.shape[1]
            seen = [padded[:, before + offset : before + offset + count] for offset in offsets]
            hidden = hidden + functional.relu(layer(torch.cat(seen, dim=2)))
        return torch.as_tensor(self.last(hidden)[:, :, 0])

    def export(self) -> dict[str, NDArray[np.generic]]:
        """The weights as `inference` reads them."""
        weight, bias = self.first.weight.detach().double(), self.first.bias.detach().double()
        shape, level = weight[:, : _STACKED * self.bins].reshape(WIDTH, _STACKED, self.bins) / 3, weight[:, -_STACKED:]
        shape = shape - shape.mean(dim=2, keepdim=True) + (level / 5 / self.bins)[:, :, None]
        arrays: dict[str, NDArray[np.generic]] = {
            "first": shape.reshape(WIDTH, -1).T.numpy().astype(np.float16),
            "first_bias": (bias - 2 * level.sum(dim=1)).numpy().astype(np.float32),
            "offsets": np.array(OFFSETS, np.int8),
            "layers": np.stack([layer.weight.detach().numpy().T for layer in self.layers]).astype(np.float16),
            "layer_biases": np.stack([layer.bias.detach().numpy() for layer in self.layers]).astype(np.float32),
            "last": self.last.weight.detach().numpy()[0].astype(np.float32),
            "last_bias": self.last.bias.detach().numpy()[0].astype(np.float32),
            "licence": np.array(_LICENCE),
            "source": np.array("training/speech_detector.py; taught by Silero VAD 6.2 (MIT)"),
        }
        return arrays


def louder(log_mel: Tensor, decibels: Tensor) -> Tensor:
    """What `[batch, bins, frames]` would be, had each of the batch been so many dB louder."""
    power = torch.expm1(log_mel) * (10 ** (decibels / 10))[:, None, None]
    return torch.log1p(power)


def among(log_mel: Tensor, sounds: Tensor, decibels: Tensor) -> Tensor:
    """What `[batch, bins, frames]` would be with other sounds at once, each so many dB softer than the scene."""
    power, added = torch.expm1(log_mel), torch.expm1(sounds)
    level, level_added = (each.mean(dim=(1, 2)) for each in (power, added))
    gain = 10 ** (-decibels / 10) * level / level_added.clamp(min=1e-6)
    return torch.log1p(power + gain[:, None, None] * added)


def make_scenes(
    material: Callable[[], Material], count: int, folder: Path
) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """Features `[count, 80, frames]` and labels `[count, frames / 4]`; where they lie in `folder`, nothing is made."""
    features, labels = folder / "features.npy", folder / "labels.npy"
    if not labels.exists():
        drawn, featurizer = material(), Featurizer(FeatureParameters())
        heard, said = [], []
        for number in tqdm(range(count), desc="scenes", unit="scene"):
            chance = np.random.default_rng((11, number))
            samples, truth = scene(drawn, chance, spoken=number % 5 < _SPOKEN_OF_FIVE)
            heard.append(featurizer.log_mel(samples).astype(np.float16))
            said.append(truth.astype(np.float16))
        for path, rows in ((features, heard), (labels, said)):
            with atomic_path(path) as temporary, temporary.open("wb") as sink:
                np.save(sink, np.stack(rows))
    return np.load(features, mmap_mode="r"), np.load(labels)


class _Lessons:
    """Scenes as they are heard to learn by, never twice alike."""

    def __init__(self, features: NDArray[np.float16], labels: NDArray[np.float16], learned: NDArray[np.intp]) -> None:
        self._features, self._labels = features, labels
        self._wordless = learned[labels[learned].max(axis=1) == 0]

    def draw(self, rows: NDArray[np.intp], chance: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Features and labels of these scenes."""
        heard = self._read(rows)
        some = np.flatnonzero(chance.random(len(rows)) < _AMONG_SOUNDS)
        sounds = self._read(chance.choice(self._wordless, some.size))
        heard[some] = among(heard[some], sounds, _uniform(chance, _SOFTER, some.size))
        wanted = torch.from_numpy(self._labels[rows].astype(np.float32))
        return louder(heard, _uniform(chance, _LOUDER, len(rows))), wanted

    def _read(self, rows: NDArray[np.intp]) -> Tensor:
        return torch.from_numpy(self._features[rows].astype(np.float32))


def _uniform(chance: np.random.Generator, bounds: tuple[float, float], count: int) -> Tensor:
    return torch.from_numpy(chance.uniform(*bounds, count).astype(np.float32))


def teach(features: NDArray[np.float16], labels: NDArray[np.float16], epochs: int) -> Network:
    """Adam, one scene of twenty kept to judge by."""
    torch.manual_seed(1)
    network, chance = Network(features.shape[1]), np.random.default_rng(1)
    kept = np.arange(0, len(features), 20)
    learned = np.setdiff1d(np.arange(len(features)), kept)
    lessons = _Lessons(features, labels, learned)
    steps = epochs * (len(learned) // _BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), lr=4e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=4e-3, total_steps=steps)
    for epoch in range(epochs):
        losses = []
        order = chance.permutation(learned)
        for first in range(0, len(order) - _BATCH + 1, _BATCH):
            rows = np.sort(order[first : first + _BATCH])
            heard, wanted = lessons.draw(rows, chance)
            loss = functional.binary_cross_entropy_with_logits(network(heard), wanted)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(float(loss))
        print(f"epoch {epoch + 1}: {np.mean(losses):.4f}, {judge(network, features[kept], labels[kept])}", flush=True)
    return network


def judge(network: Network, features: NDArray[np.float16], labels: NDArray[np.float16]) -> str:
    """How often it is right where the teacher is sure."""
    with torch.no_grad():
        heard = network(torch.from_numpy(features.astype(np.float32))).numpy() > 0
    speech, nobody = heard[labels > 0.9].mean(), heard[labels < 0.1].mean()
    return f"of the scenes kept apart {speech:.2%} of speech is heard, and {nobody:.2%} of the rest"


def main() -> None:
    """Run the step from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", required=True, action="append", metavar="MANIFEST=SHARE")
    parser.add_argument("--sounds", type=Path, default=[], action="append", help="a manifest of clips without speech")
    parser.add_argument("--clips", type=int, default=3500, help="drawn from the manifests (default: %(default)s)")
    parser.add_argument("--scenes", type=int, default=6000, help="of 8 s (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--work", type=Path, default=Path("training/build/speech-detector"), help="where scenes lie")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    manifests = []
    for text in options.speech:
        path, _, share = text.rpartition("=")
        if not path:
            raise RecipeError(f"--speech {text}: MANIFEST=SHARE wanted")
        manifests.append((Path(path), float(share)))
    material = partial(listen, manifests, options.clips, options.sounds)
    features, labels = make_scenes(material, options.scenes, options.work)
    network = teach(features, labels, options.epochs)
    with atomic_path(options.out) as temporary, temporary.open("wb") as sink:
        np.savez_compressed(sink, **network.export())  # type: ignore[arg-type]


if __name__ == "__main__":
    command(main)
