"""Where windows end: in silence, in a pause, or where it is quietest. All places are frames of 10 ms."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from inference.audio.speech import STACKED
from inference.types import FRAMES_A_SECOND, Float32Array

HEARD_BEFORE, HEARD_BEHIND = 3 * STACKED, 5 * STACKED
"""Of the silence around speech, what the model hears; the rest of a span's is there for the normalisation alone."""
_SILENT = 0.3
"""Probability of speech below which a frame belongs to a pause: that down to which speech goes on."""
_ENVELOPE = round(0.1 * FRAMES_A_SECOND)
"""What is looked at at once for the quietest place."""

CutChooser: TypeAlias = Callable[[Float32Array], int]
"""Power of the frames within which a window must be cut, `[frames]` → where, from 0 to their number."""


Pause: TypeAlias = tuple[int, int]
"""Where it begins and ends."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a window ends."""

    place: int
    """All speech before it is this window's, all behind it the next one's."""
    end: int
    """Normalised up to here."""
    heard: int
    """Up to here."""
    following: tuple[int, int]
    """Where the next one, if it goes on from there, is normalised from, and heard from."""


def in_silence(pause: Pause) -> Cut:
    """Neither window hears the other's speech."""
    middle = sum(pause) // 2
    heard, heard_from = min(pause[0] + HEARD_BEHIND, middle), max(pause[1] - HEARD_BEFORE, middle)
    return Cut(middle, middle, heard, (middle, heard_from))


def pauses(probabilities: Float32Array, first: int, least: int) -> list[Pause]:
    """Stretches of silence between speech and speech, as long as `least` or longer, in their order.

    `probabilities` `[frames of 40 ms]` of speech, of which the first is the recording's `first`.
    """
    speech = np.flatnonzero(probabilities >= _SILENT) + first
    between = ((last + 1, following) for last, following in itertools.pairwise(speech.tolist()))
    return [(start * STACKED, end * STACKED) for start, end in between if (end - start) * STACKED >= least]


def longest(found: list[Pause]) -> Pause | None:
    """The longest one; of two alike, the later one."""
    return max(found, key=lambda pause: (pause[1] - pause[0], pause[0]), default=None)


def silent(probabilities: Float32Array) -> bool:
    """Whether nobody speaks in `[frames of 40 ms]`."""
    return bool((probabilities < _SILENT).all())


def quietest(power: Float32Array) -> int:
    """Return the middle of the tenth of a second with the least of it, in `[frames]`."""
    energy = np.concatenate([[0.0], np.cumsum(power, dtype=np.float64)])
    length = min(_ENVELOPE, power.size)
    return int(np.argmin(energy[length:] - energy[: energy.size - length])) + length // 2
