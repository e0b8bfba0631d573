"""Teach the vocoder on pairs of what Kokoro's generator was given and what it made of it.

    python -m training.train_vocoder PAIRS --out training/build/vocoder.pt --minutes 10

The loss compares log-magnitudes: spectra at three window lengths, and the 80 mels that a recogniser hears. A run that
is stopped starts anew; it is short. Minutes are of the processor's time, so a suspended run loses nothing.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from inference.features import mel_filterbank
from training.files import RecipeError, command
from training.synthesis.vocoder import FRAME, RATE, Vocoder, save

_SEGMENT = 128
"""Frames of one example: 1.6 s."""


@dataclass(frozen=True)
class Pair:
    """One clip; see `training.generator_pairs`."""

    features: NDArray[np.float16]
    pitch: NDArray[np.float32]
    style: NDArray[np.float32]
    audio: NDArray[np.int16]


def read_pairs(folder: Path) -> list[Pair]:
    """Every pair in `folder` that is long enough to cut a segment from."""
    pairs = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as stored:
            pair = Pair(stored["features"], stored["pitch"], stored["style"], stored["audio"])
        if pair.features.shape[1] >= _SEGMENT and len(pair.audio) >= pair.features.shape[1] * FRAME - 1:
            pairs.append(pair)
    if not pairs:
        raise RecipeError(f"{folder} holds no pairs: make -C training vocoder makes them first")
    return pairs


def examples(pairs: list[Pair], count: int, chance: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """`count` random segments: features ``[count, 512, 128]``, pitch, style, and audio ``[count, 25600]``."""
    features, pitch, style, audio = [], [], [], []
    lengths = np.array([pair.features.shape[1] for pair in pairs], dtype=np.float64)
    for index in chance.choice(len(pairs), count, p=lengths / lengths.sum()):
        pair = pairs[index]
        start = int(chance.integers(pair.features.shape[1] - _SEGMENT + 1))
        features.append(pair.features[:, start : start + _SEGMENT].astype(np.float32))
        pitch.append(pair.pitch[start : start + _SEGMENT])
        style.append(pair.style)
        samples = pair.audio[start * FRAME : (start + _SEGMENT) * FRAME].astype(np.float32) / 32768
        audio.append(np.pad(samples, (0, _SEGMENT * FRAME - len(samples))))
    stacked = (np.stack(part) for part in (features, pitch, style, audio))
    made = [torch.from_numpy(part) for part in stacked]
    return made[0], made[1], made[2], made[3]


class SpectralLoss:
    """Mean distance of log-magnitudes over several resolutions, mels counted as much as all the others together."""

    def __init__(self) -> None:
        """Windows of 16, 32 and 64 ms; mels as the recogniser has them."""
        self.windows = {size: torch.hann_window(size) for size in (256, 512, 1024)}
        self.mels = torch.from_numpy(mel_filterbank(RATE, 512, 80))

    def __call__(self, made: Tensor, wanted: Tensor) -> Tensor:
        """Loss in nats, of two waveforms ``[batch, samples]``."""
        total = made.new_zeros(())
        for size, window in self.windows.items():
            left, right = (
                torch.stft(wave, size, size // 4, window=window, return_complex=True).abs() for wave in (made, wanted)
            )
            total = total + ((left + 1e-3).log() - (right + 1e-3).log()).abs().mean() / len(self.windows)
            if size == 512:
                heard, meant = ((self.mels @ spectrum.square() + 1e-5).log() for spectrum in (left, right))
                total = total + 0.5 * (heard - meant).abs().mean()
        return total


def train(pairs: list[Pair], minutes: float, steps: int = 10**9, batch: int = 12, peak: float = 2e-3) -> Vocoder:
    """A vocoder, trained for `minutes` of processor time with a rate that falls to nothing."""
    torch.manual_seed(1)
    chance = np.random.default_rng(1)
    vocoder, loss_of = Vocoder(), SpectralLoss()
    optimiser = torch.optim.AdamW(vocoder.parameters(), lr=peak, weight_decay=1e-3)
    meter = tqdm(total=round(minutes * 60), unit="s", desc="vocoder", mininterval=5)
    began, step, recent = time.process_time(), 0, 0.0
    while (spent := max((time.process_time() - began) / (minutes * 60), step / steps)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = peak * min(1.0, (step + 1) / 50) * 0.5 * (1 + math.cos(math.pi * spent)) + 1e-6
        features, pitch, style, audio = examples(pairs, batch, chance)
        loss = loss_of(vocoder(features, pitch, style), audio)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vocoder.parameters(), 1.0)
        optimiser.step()
        step += 1
        recent = loss.item() if step == 1 else 0.98 * recent + 0.02 * loss.item()
        meter.update(round(spent * minutes * 60) - meter.n)
        meter.set_postfix(step=step, loss=f"{recent:.3f}", refresh=False)
    meter.close()
    print(f"{step} steps on {len(pairs)} pairs, loss {recent:.3f}")
    return vocoder


def main() -> None:
    """Run the step from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10.0, help="of one core")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    save(train(read_pairs(options.pairs), options.minutes), options.out)


if __name__ == "__main__":
    command(main)
