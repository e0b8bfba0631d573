"""Blocks of any number of channels → those that are heard: all as one, or some apart."""

import numpy as np
from numpy.typing import NDArray

from inference.errors import InvalidSamples, UnavailableOption
from inference.types import Channels, Float32Array

_LARGEST_SAMPLE = 2.0**24  # beyond the range of any integer format, and safely below float32's when squared
# Energy of a mix by that of channels which have nothing to do with each other. Where it is 10 dB less, they cancel
# out; they no longer do where it is 3 dB less, so that a doubtful recording does not change from block to block.
_CANCELLED, _RECOVERED = 0.1, 0.5


class Mixer:
    """One for each file, since what is heard depends on what came before."""

    def __init__(self, channels: Channels = "mix") -> None:
        """Raise UnavailableOption for numbers that no channel has."""
        self._wanted = channels
        if isinstance(channels, tuple) and not (channels and min(channels) >= 0):
            raise UnavailableOption("channels: numbers, counted from 0, one at least")
        self.heard: tuple[int | None, ...] = (None,)
        """Which channels `take` returns, counted from 0; None for a mix. Known from the first block on."""
        self._begun = False
        self._energy: NDArray[np.float64] = np.zeros(0)
        self._alone: int | None = None
        self._were_alone: set[int] = set()
        self._were_mixed = False
        self._missed = False

    def take(self, samples: Float32Array) -> tuple[Float32Array, ...]:
        """`[frames, channels]` → `[frames]` for each channel heard; raise InvalidSamples or UnavailableOption.

        Where the channels of a mix cancel each other out, the one is heard that was the louder one up to then.
        """
        # A NaN compares false with everything, so this one test finds it too.
        if not np.abs(samples).max() <= _LARGEST_SAMPLE:
            raise InvalidSamples("the audio holds samples that are NaN, infinite or absurdly large")
        channels = samples.shape[1]
        if self._wanted == "mix":
            return (samples[:, 0] if channels == 1 else self._mix(samples),)
        if not self._begun:
            self.heard = self._choose(channels)
        self._begun = True
        self._missed = self._missed or (self._wanted == "separate" and channels > len(self.heard))
        silence = np.zeros(len(samples), np.float32)  # of a channel that is not there any more
        return tuple(silence if each is None or each >= channels else samples[:, each] for each in self.heard)

    def warnings(self) -> tuple[str, ...]:
        """What a user should know of what came so far."""
        warnings = []
        if self._were_alone:
            names = ", ".join(str(each + 1) for each in sorted(self._were_alone))
            which = f"channel {names} alone was" if len(self._were_alone) == 1 else f"channels {names} alone were"
            where = "in places; there " if self._were_mixed else "out; "
            warnings.append(f"The channels cancel each other {where}{which} heard.")
        if self._missed:
            warnings.append(f"There are more channels later on; only the first {len(self.heard)} were heard.")
        return tuple(warnings)

    def _choose(self, channels: int) -> tuple[int, ...]:
        if isinstance(self._wanted, str):
            return tuple(range(channels))
        if max(self._wanted) >= channels:
            raise UnavailableOption(f"channels: the audio has no {max(self._wanted)}, but 0 to {channels - 1}")
        return tuple(sorted(set(self._wanted)))

    def _mix(self, samples: Float32Array) -> Float32Array:
        channels = samples.shape[1]
        mixed: Float32Array = np.einsum("fc->f", samples)
        apart = np.array([np.square(samples[:, each]).sum() for each in range(channels)], np.float64)
        if channels != self._energy.size:
            self._energy, self._alone = np.zeros(channels), None
        self._energy += apart
        energy, least = float(np.square(mixed).sum()), _CANCELLED if self._alone is None else _RECOVERED
        if energy < least * apart.sum():
            self._alone = int(self._energy.argmax())
            self._were_alone.add(self._alone)
            return samples[:, self._alone]
        if apart.any():
            self._alone, self._were_mixed = None, True
        return mixed / np.float32(channels)
