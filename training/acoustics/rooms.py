"""What a room does to a voice, by the image method: each wall is a mirror, each mirrored mouth an echo.

Source: J. Allen, D. Berkley, "Image method for efficiently simulating small-room acoustics", Journal of the Acoustical
Society of America 65, 1979. Echoes are counted up to a tenth of a second; behind that they are so many that noise which
dies away says the same (E. Lehmann, A. Johansson, "Diffuse reverberation model for efficient image-source simulation of
room impulse responses", IEEE Transactions on Audio, Speech and Language Processing 18, 2010).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_RATE = 16_000
_SOUND = 343.0
"""Metres a second."""
_EARLY = 0.1
"""Seconds behind the first sound in which each echo is counted."""
_NEAR = 0.15
"""Metres between mouth and microphone at least."""


@dataclass(frozen=True)
class Room:
    """A box, and who is where in it; metres."""

    size: Floats
    mouth: Floats
    microphone: Floats
    kept: float
    """Share of a sound's pressure that a wall gives back, 0 to 1."""

    @property
    def decay(self) -> float:
        """Seconds in which sound falls by 60 dB, by Sabine's formula as Eyring corrected it."""
        length, width, height = self.size
        surface = 2 * (length * width + length * height + width * height)
        return float(24 * np.log(10) / _SOUND * self.size.prod() / (-surface * np.log(max(self.kept, 1e-3) ** 2)))


def draw_room(chance: np.random.Generator) -> Room:
    """From a small bathroom to a classroom, a telephone at the mouth or a microphone on the table."""
    size = chance.uniform((1.5, 1.5, 2.2), (9.0, 7.0, 3.5))
    mouth = chance.uniform(0.1, 0.9, 3) * size
    direction = chance.standard_normal(3)
    away = direction / np.linalg.norm(direction) * np.exp(chance.uniform(np.log(_NEAR), np.log(2.5)))
    microphone = np.clip(mouth + away, 0.05, size - 0.05)
    return Room(size, mouth, microphone, float(chance.uniform(0.4, 0.95)))


def impulse_response(room: Room, chance: np.random.Generator) -> NDArray[np.float32]:
    """What the microphone hears of a click, from its first sound on, which is 1; at most half a second."""
    delays, strengths = _echoes(room)
    first = delays.min()
    length = int(_RATE * min(max(room.decay, _EARLY), 0.5))
    heard = np.zeros(length)
    places = (delays - first) * _RATE
    below = places.astype(np.int64)
    early = below < min(int(_EARLY * _RATE), length) - 1
    below, share, strengths = below[early], (places - np.floor(places))[early], strengths[early]
    # A wall turns some sounds round: without that all echoes would add up at low pitches.
    strengths = strengths * np.where(below > 0, chance.choice((-1.0, 1.0), len(below)), 1.0)
    np.add.at(heard, below, strengths * (1 - share))
    np.add.at(heard, below + 1, strengths * share)
    heard += _late(room, heard, chance)
    return np.asarray(heard / max(abs(heard[0]), 1e-9), dtype=np.float32)


def _echoes(room: Room) -> tuple[Floats, Floats]:
    """Delays in seconds and strengths of all images that are heard early."""
    reach = _EARLY * _SOUND + float(np.linalg.norm(room.mouth - room.microphone))
    axes = []
    for size, mouth, microphone in zip(room.size, room.mouth, room.microphone, strict=True):
        most = int(np.ceil(reach / (2 * size)))
        numbers = np.arange(-most, most + 1)
        there = np.concatenate([2 * numbers * size + mouth, 2 * numbers * size - mouth]) - microphone
        walls = np.concatenate([np.abs(2 * numbers), np.abs(2 * numbers - 1)])
        axes.append((there[np.abs(there) <= reach], walls[np.abs(there) <= reach]))
    (x, by_x), (y, by_y), (z, by_z) = axes
    distance = np.sqrt(x[:, None, None] ** 2 + y[None, :, None] ** 2 + z[None, None, :] ** 2).ravel()
    walls = (by_x[:, None, None] + by_y[None, :, None] + by_z[None, None, :]).ravel()
    near = distance <= reach
    return distance[near] / _SOUND, room.kept ** walls[near] / distance[near]


def _late(room: Room, early: Floats, chance: np.random.Generator) -> Floats:
    """Noise that dies away, as loud where it begins as the last echoes."""
    late = np.zeros_like(early)
    begin = min(int(_EARLY * _RATE), len(early)) - 1
    last = early[begin * 3 // 4 : begin]
    count = len(early) - begin
    level = float(np.sqrt((last**2).mean())) if len(last) else 0.0
    late[begin:] = level * chance.standard_normal(count) * np.exp(-6.9 * np.arange(count) / (_RATE * room.decay))
    return late
