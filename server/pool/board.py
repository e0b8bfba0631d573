"""What a worker shows the others: its idle lanes and its waiting entries, two numbers in a mapped file."""

import mmap
import struct
from contextlib import suppress
from pathlib import Path

BOARD = ".board"
"""What the names of such files end in."""
_NUMBERS = struct.Struct("<ii")


class Board:
    """A worker's idle lanes and waiting entries, for the others to see."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """Map it; raise OSError or ValueError where it is not there yet or no more."""
        self.path = path
        self.socket = path.with_suffix(".socket")
        if create:
            path.write_bytes(_NUMBERS.pack(0, 0))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _NUMBERS.size)

    @property
    def numbers(self) -> tuple[int, int]:
        """Idle lanes, waiting entries."""
        idle, waiting = _NUMBERS.unpack(self._memory[:])
        return idle, waiting

    @numbers.setter
    def numbers(self, numbers: tuple[int, int]) -> None:
        self._memory[:] = _NUMBERS.pack(*numbers)

    def remove(self) -> None:
        """Its worker has gone."""
        self.numbers = (0, 0)
        with suppress(OSError):  # the directory may be another user's by now
            self.path.unlink(missing_ok=True)
            self.socket.unlink(missing_ok=True)
