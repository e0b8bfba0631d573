"""Blocks of any format → one channel, no more of it than is wanted."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from inference.audio.blocks import Block
from inference.errors import AudioOutOfLimits, InvalidSamples
from inference.types import AudioLimits, Float32Array

_LARGEST_SAMPLE = 2.0**24  # beyond the range of any integer format, and safely below float32's when squared
# Energy of a mix by that of channels which have nothing to do with each other. Where it is 10 dB less, they cancel out.
_CANCELLED = 0.1


@dataclass(slots=True)
class Run:
    """Samples in a row at one rate."""

    sample_rate: int
    began: float
    """Seconds before it."""
    kept: list[Float32Array] = field(default_factory=list)
    counted: int = 0
    """Frames, those that are not kept included."""

    @property
    def ended(self) -> float:
        """Seconds from the beginning of all to its end."""
        return self.began + self.counted / self.sample_rate


class Mono:
    """Takes blocks until there is enough."""

    def __init__(self, limits: AudioLimits, channel: int | None = None) -> None:
        """Keep one channel, counted from 0, or the mean of all."""
        self._limits = limits
        self._most = limits.window_seconds if limits.overlength == "window" else limits.limit_seconds
        self._channel = channel
        self.runs: list[Run] = []
        self.full = False
        """Whether more came than is wanted."""
        self._mixed = 0.0
        self._apart: NDArray[np.float64] = np.zeros(limits.channels)

    @property
    def seconds(self) -> float:
        """Of audio that came."""
        return self.runs[-1].ended if self.runs else 0.0

    def take(self, block: Block) -> None:
        """Go on; raise AudioOutOfLimits or InvalidSamples."""
        self._check_format(block)
        rate = block.sample_rate
        if not self.runs or self.runs[-1].sample_rate != rate:
            self.runs.append(Run(rate, self.seconds))
        run = self.runs[-1]
        wanted = round((self._most - run.began) * rate)
        if run.counted < wanted:
            run.kept.append(self._mix(block.samples[: wanted - run.counted]))
        run.counted += len(block.samples)
        self.full = run.counted > wanted

    def louder_channel(self) -> int | None:
        """The channel to take instead, where the channels cancel each other out."""
        if self._channel is not None or self._mixed >= _CANCELLED * self._apart.sum():
            return None
        return int(self._apart.argmax())

    def _check_format(self, block: Block) -> None:
        lowest, highest = self._limits.sample_rates
        if not lowest <= block.sample_rate <= highest:
            raise AudioOutOfLimits(f"sample rate {block.sample_rate} Hz; {lowest} to {highest} Hz are taken")
        if block.samples.shape[1] > self._limits.channels:
            raise AudioOutOfLimits(f"{block.samples.shape[1]} channels; up to {self._limits.channels} are taken")

    def _mix(self, samples: Float32Array) -> Float32Array:
        # A NaN compares false with everything, so this one test finds it too.
        if not np.abs(samples).max() <= _LARGEST_SAMPLE:
            raise InvalidSamples("the audio holds samples that are NaN, infinite or absurdly large")
        channels = samples.shape[1]
        if channels == 1:
            return samples[:, 0]
        if self._channel is not None:
            return samples[:, min(self._channel, channels - 1)]
        mixed: Float32Array = np.einsum("fc->f", samples)
        self._mixed += float(np.square(mixed).sum())
        self._apart[:channels] += [np.square(samples[:, each]).sum() for each in range(channels)]
        return mixed / np.float32(channels)
