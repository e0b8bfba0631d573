"""A small vocoder in place of Kokoro's generator, which is nine tenths of Kokoro's work.

Source and filter, as in DDSP (Engel et al., 2020): a pulse train of the given pitch and white noise, each through a
filter that a little network reads off the decoder's features, two filters a frame. The filters have no phase:
recognisers hear magnitudes. The sound comes out at 16 kHz, plainer than Kokoro's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.files import RecipeError, atomic_path
from training.synthesis.kokoro import FRAME_RATE

RATE = 16_000
FRAME = RATE // FRAME_RATE
"""Samples a frame of features."""
_FFT, _HOP = 512, FRAME // 2
BINS = _FFT // 2 + 1
VOICED_HERTZ = 10.0
"""Below this pitch Kokoro's own generator makes noise too."""


def excitation(pitch: Tensor) -> Tensor:
    """Pulse train ``[batch, samples]`` of `pitch` ``[batch, frames]`` in Hz, of unit power, silent where unvoiced.

    All harmonics below 8 kHz in equal strength, summed in closed form (Dirichlet's kernel) so that nothing aliases.
    """
    voiced = pitch > VOICED_HERTZ
    hertz = functional.interpolate(_filled(pitch, voiced)[:, None], scale_factor=FRAME, mode="linear")[:, 0]
    phase = torch.cumsum(hertz.double() / RATE, 1) % 1.0
    half = (math.pi * phase).float()
    harmonics = (torch.ceil(RATE / 2 / hertz) - 1).clamp(min=1)
    below = torch.sin(half)
    safe = below.abs() > 1e-4
    kernel = torch.where(safe, torch.sin((2 * harmonics + 1) * half) / torch.where(safe, below, 1.0), 2 * harmonics + 1)
    pulses = (kernel - 1) / torch.sqrt(2 * harmonics)
    return pulses * voiced.repeat_interleave(FRAME, 1)


def _filled(pitch: Tensor, voiced: Tensor) -> Tensor:
    """Pitch where there is a voice; elsewhere the last one heard, and before the first voice the first one."""
    frames = torch.arange(pitch.shape[1], device=pitch.device).expand_as(pitch)
    last = torch.where(voiced, frames, -1).cummax(1).values
    first = torch.where(voiced, frames, pitch.shape[1] - 1).min(1, keepdim=True).values
    filled = pitch.gather(1, torch.where(last < 0, first, last))
    return torch.where(filled > VOICED_HERTZ, filled, 100.0)


@dataclass(frozen=True)
class Change:
    """Another speaker from the same features."""

    pitch: float = 1.0
    """Factor of the pitch."""
    formants: float = 1.0
    """Factor of the frequencies of both filters: above 1 is a shorter vocal tract."""
    flatness: float = 0.0
    """1 leaves no melody."""

    def of_pitch(self, pitch: Tensor) -> Tensor:
        """Pitch in Hz ``[batch, frames]``, moved; unvoiced frames stay."""
        voiced = pitch > VOICED_HERTZ
        logs = pitch.clamp(min=1.0).log()
        mean = (logs * voiced).sum(1, keepdim=True) / voiced.sum(1, keepdim=True).clamp(min=1)
        moved = (mean + (logs - mean) * (1 - self.flatness)).exp() * self.pitch
        return torch.where(voiced, moved, pitch)

    def of_filter(self, filters: Tensor) -> Tensor:
        """Log-magnitudes ``[batch, 257, columns]`` with the frequency axis stretched by `formants`."""
        if self.formants == 1.0:
            return filters
        place = (torch.arange(BINS, dtype=torch.float32) / self.formants).clamp(max=BINS - 1)
        low = place.floor().long().clamp(max=BINS - 2)
        share = (place - low)[:, None]
        return filters[:, low] * (1 - share) + filters[:, low + 1] * share


class Vocoder(nn.Module):  # type: ignore[misc]  # where torch is absent, mypy takes it for Any
    """Features, pitch and style → 16 kHz speech."""

    def __init__(self, width: int = 256, blocks: int = 4) -> None:
        """A convolutional network of `blocks` residual layers."""
        super().__init__()
        self.enter = nn.Conv1d(512 + 2, width, 3, padding=1)
        self.colour = nn.Linear(128, width)
        self.blocks = nn.ModuleList(nn.Conv1d(width, width, 3, padding=2**i, dilation=2**i) for i in range(blocks))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(blocks))
        self.leave = nn.Conv1d(width, 2 * 2 * BINS, 1)
        self.register_buffer("window", torch.hann_window(_FFT), persistent=False)

    def filters(self, features: Tensor, pitch: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """Log-magnitudes ``[batch, 257, 2 * frames]`` of the pulses' filter and of the noise's."""
        voiced = (pitch > VOICED_HERTZ).float()
        height = torch.log2(pitch.clamp(min=50.0) / 150) * voiced
        hidden = (
            self.enter(torch.cat([features / 4, voiced[:, None], height[:, None]], 1)) + self.colour(style)[..., None]
        )
        for block, norm in zip(self.blocks, self.norms, strict=True):
            hidden = hidden + functional.gelu(block(norm(hidden.mT).mT))
        pair = self.leave(hidden).unflatten(1, (2, 2, BINS))  # batch, source, half of the frame, bin, frame
        both = pair.permute(0, 1, 3, 4, 2).flatten(3) - 4.0
        return both[:, 0], both[:, 1]

    def forward(self, features: Tensor, pitch: Tensor, style: Tensor, change: Change | None = None) -> Tensor:
        """Samples ``[batch, 200 * frames]``, of features ``[batch, 512, frames]``, pitch and style ``[batch, 128]``."""
        pulses, noise = self.filters(features, pitch, style)
        if change is not None:
            pitch = change.of_pitch(pitch)
            pulses, noise = change.of_filter(pulses), change.of_filter(noise)
        source = excitation(pitch)
        hiss = torch.randn_like(source)
        spectrum = self._spectrum(source) * pulses.exp() + self._spectrum(hiss) * noise.exp()
        spectrum = functional.pad(spectrum, (0, 1))
        return torch.istft(spectrum, _FFT, _HOP, window=self.window, length=source.shape[1])

    def _spectrum(self, samples: Tensor) -> Tensor:
        """STFT of as many columns as there are filters."""
        return torch.stft(samples, _FFT, _HOP, window=self.window, return_complex=True)[..., :-1]


def save(vocoder: Vocoder, path: Path) -> None:
    """Write the weights, atomically."""
    with atomic_path(path) as temporary:
        torch.save(vocoder.state_dict(), temporary)


def load(path: Path) -> Vocoder:
    """Read the weights back."""
    if not path.exists():
        raise RecipeError(f"{path} is missing: make -C training vocoder")
    vocoder = Vocoder()
    vocoder.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    vocoder.eval()
    return vocoder
