"""What a worker shows the others: idle lanes, waiting entries and recordings under way, in a mapped file."""

import mmap
import os
import struct
from contextlib import suppress
from pathlib import Path

BOARD = ".board"
"""What the names of such files end in."""
_NUMBERS = struct.Struct("<iii")


class Board:
    """A worker's idle lanes, waiting entries and recordings, for the others to see."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """Map it; raise OSError or ValueError where it is not there yet or no more."""
        self.path = path
        self.socket = path.with_suffix(".socket")
        if create:
            path.write_bytes(_NUMBERS.pack(0, 0, 0))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _NUMBERS.size)

    @property
    def numbers(self) -> tuple[int, int, int]:
        """Idle lanes, waiting entries, recordings."""
        idle, waiting, recordings = _NUMBERS.unpack(self._memory[:])
        return idle, waiting, recordings

    @numbers.setter
    def numbers(self, numbers: tuple[int, int, int]) -> None:
        self._memory[:] = _NUMBERS.pack(*numbers)

    @property
    def is_kept(self) -> bool:
        """Whether the worker that it is named after lives: one that was killed has removed nothing."""
        try:
            os.kill(int(self.path.stem), 0)
        except OSError:
            return False
        return True

    def remove(self) -> None:
        """Its worker has gone."""
        self.numbers = (0, 0, 0)
        with suppress(OSError):  # the directory may be another user's by now
            self.path.unlink(missing_ok=True)
            self.socket.unlink(missing_ok=True)
