"""Bytes for a decoder to read: a file, or a part of one as if it were the whole."""

import io
import re
from collections.abc import Callable, Iterator
from mmap import MADV_DONTNEED, mmap

_STRETCH = 16 << 20  # bytes that are searched at a time
_LONGEST = 64  # bytes of what is searched for


def forget(data: bytes | mmap) -> None:
    """Give back the pages of a mapped file that were read: as long as a process has them, they are its memory."""
    if isinstance(data, mmap):
        data.madvise(MADV_DONTNEED)


def occurrences(
    pattern: re.Pattern[bytes], data: bytes | mmap, start: int, end: int, checkpoint: Callable[[], None]
) -> Iterator[int]:
    """Where a pattern of at most 64 bytes occurs, in order; a mapped file of any size, in bounded memory."""
    for begin in range(start, end, _STRETCH):
        checkpoint()
        stop = min(begin + _STRETCH, end)
        for found in pattern.finditer(data, begin, min(stop + _LONGEST - 1, end)):
            if found.start() < stop:
                yield found.start()
        forget(data)


def last_occurrence(mark: bytes, data: bytes | mmap, start: int, end: int, checkpoint: Callable[[], None]) -> int:
    """Where such bytes, at most 64, occur last; -1 where they do not. In bounded memory as above."""
    stop = end
    while stop > start:
        checkpoint()
        begin = max(start, stop - _STRETCH)
        found = data.rfind(mark, begin, min(stop + len(mark) - 1, end))
        forget(data)
        if found >= 0:
            return found
        stop = begin
    return -1


class Part:
    """A part of a file, behind a header of ours; what decoders need of a binary stream, and no name."""

    def __init__(
        self,
        data: bytes | mmap,
        start: int,
        end: int,
        prefix: bytes = b"",
        checkpoint: Callable[[], None] = lambda: None,
    ) -> None:
        """`checkpoint` is called at every read, and may raise to stop."""
        self._data = data
        self._start = start
        self._prefix = prefix
        self._size = len(prefix) + end - start
        self._place = 0
        self._checkpoint = checkpoint

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, and none at the end."""
        self._checkpoint()
        place = self._place
        stop = self._size if size < 0 else min(self._size, place + size)
        if place >= stop:
            return b""
        self._place = stop
        ours = len(self._prefix)
        behind = self._data[self._start + max(place, ours) - ours : self._start + max(stop, ours) - ours]
        return self._prefix[place:stop] + behind if place < ours else behind

    def readinto(self, buffer: bytearray) -> int:
        """Fill the buffer as far as there are bytes, and say how far."""
        read = self.read(len(buffer))
        buffer[: len(read)] = read
        return len(read)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, which may be behind the end; raise ValueError for one before the beginning."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("it points before its own beginning")
        self._place = base + offset
        return self._place

    def tell(self) -> int:
        """The place of the next byte."""
        return self._place
