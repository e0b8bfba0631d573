"""What all workers count by: windows as `limits` has them, and places that are held for as long as a request takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from limits.aio.storage import Storage

LEASE_SECONDS = 10.0
"""A place is free again when its holder has not renewed it for so long: it died, or stands still."""


class SlidingWindows(Protocol):
    """What is asked of `limits` beside its strategies."""

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return the previous and the current window's counts, each with the seconds for which it will count."""
        ...


class Places(Protocol):
    """Places for what runs at the same time, by who holds them; raises `limits.errors.StorageError`."""

    async def hold(self, subject: str, most: int, holder: str) -> int:
        """Take one of at most `most` places; return how many are taken then, more than `most` where none was free."""
        ...

    async def renew(self, held: Mapping[str, str]) -> None:
        """Say that those who hold places (holder → subject) still do, in one go however many they are.

        What is no longer in `held` when its turn comes has been given back, and stays free.
        """
        ...

    async def give_back(self, subject: str, holder: str) -> None:
        """Free a place."""
        ...

    async def close(self) -> None:
        """Leave what is open."""
        ...


@dataclass(frozen=True, slots=True)
class Counters:
    """All of it."""

    storage: Storage
    """For `limits`."""
    windows: SlidingWindows
    """The same."""
    places: Places
