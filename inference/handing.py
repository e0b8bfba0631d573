"""Open files on their way from a worker to its lane, which cannot open a stranger's by itself."""

import os
import socket
import struct
from contextlib import suppress
from mmap import ACCESS_READ, mmap
from pathlib import Path

_NUMBER = struct.Struct("=Q")


def hand_over(channel: socket.socket, number: int, path: Path) -> None:
    """Send a file with the number of its task, before the task itself; raise OSError where it cannot be opened.

    The channel does not block. Where nobody is at its other end, that shows when the task is sent.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):
            socket.send_fds(channel, [_NUMBER.pack(number)], [descriptor])
    finally:
        os.close(descriptor)


class Handed:
    """The lane's end."""

    def __init__(self, channel: socket.socket) -> None:
        channel.settimeout(0)  # `recv_fds` passes no flags on
        self._channel = channel
        self._descriptors: dict[int, int] = {}

    def take(self, number: int) -> mmap | bytes | None:
        """Map the file of a task, where it has one; to be called for every task, since earlier ones may never begin."""
        with suppress(BlockingIOError):
            while True:
                data, descriptors, _, _ = socket.recv_fds(self._channel, _NUMBER.size, 1)
                if not descriptors:
                    break
                self._descriptors[_NUMBER.unpack(data)[0]] = descriptors[0]
        taken = None
        for each in [each for each in self._descriptors if each <= number]:
            descriptor = self._descriptors.pop(each)
            if each == number:
                taken = mmap(descriptor, 0, access=ACCESS_READ) if os.fstat(descriptor).st_size else b""
            os.close(descriptor)
        return taken
