"""Bodies that are too long for memory: a private file for each, written as it arrives."""

import asyncio
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from loguru import logger

from server import metrics
from server.errors import StorageFailed

IN_MEMORY = 1 << 20
"""Bytes that a body has in memory at most."""
_PIECE = 1 << 20  # bytes that are written at once, by a thread, which the event loop need not wait for


class SpoolDirectory:
    """Where the files are."""

    def __init__(self, path: Path | None, wanted: int) -> None:
        """None stands for the system's own directory for temporary files; `wanted` bytes should be free in it."""
        self._path = path
        self._wanted = wanted

    @property
    def path(self) -> Path:
        """The directory; raise OSError where the system has none."""
        return self._path or Path(tempfile.gettempdir())

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence on why the longest body could not be stored now, if so."""
        try:
            free = shutil.disk_usage(self.path).free
            writable = os.access(self.path, os.W_OK | os.X_OK)
        except OSError as error:
            return (f"long bodies cannot be stored: {error}",)
        if not writable:
            return (f"long bodies cannot be stored: {self.path} is not writable",)
        if free >= self._wanted:
            return ()
        free_mib, wanted_mib = free >> 20, self._wanted >> 20
        return (f"long bodies cannot be stored: {free_mib} of {wanted_mib} MiB are free in {self.path}",)

    def refuse_what_does_not_fit(self, size: int) -> None:
        """Raise StorageFailed for a body of so many bytes, by its own word, before any of it is taken in."""
        try:
            free = shutil.disk_usage(self.path).free if size > IN_MEMORY else size
        except OSError:
            return  # it is told where the writing fails
        if size > free:
            raise _failed(f"{size >> 20} MiB are announced, {free >> 20} are free in {self.path}")


class Spool:
    """Takes one body in, and keeps it as bytes up to a MiB, beyond that in a file that nobody else sees.

    The file has no name where the system allows that (`O_TMPFILE`, or unlinked at once), so that nothing is left behind
    whatever happens, and a worker opens it for its lane by way of `/proc`.
    """

    def __init__(self, directory: SpoolDirectory) -> None:
        self._directory = directory
        self._buffer = bytearray()
        self._file: Any = None
        self.size = 0
        """Bytes taken in."""

    def append(self, data: bytes) -> None:
        """Take a piece in; `drain` soon."""
        self._buffer += data
        self.size += len(data)

    async def drain(self) -> None:
        """Write what there is, if it is enough to be worth it; raise StorageFailed."""
        if len(self._buffer) >= _PIECE and self.size > IN_MEMORY:
            await self._write()

    async def finish(self) -> bytes | Path:
        """Return the whole; raise StorageFailed."""
        if self._file is None:
            return bytes(self._buffer)
        await self._write()
        return _path_of(self._file)

    def close(self) -> None:
        """Give up the file."""
        if self._file is not None:
            self._file.close()

    async def _write(self) -> None:
        piece, self._buffer = self._buffer, bytearray()
        # Shielded, since a thread cannot be cancelled: the file must not be closed under it.
        writing = asyncio.ensure_future(asyncio.to_thread(self._write_piece, piece))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing])
            raise
        except OSError as error:
            logger.error(f"a body cannot be stored: {error}; ASR_SPOOL names the directory")
            raise _failed(str(error.strerror or error)) from error

    def _write_piece(self, piece: bytearray) -> None:
        if self._file is None:
            make = tempfile.TemporaryFile if _can_be_nameless() else tempfile.NamedTemporaryFile
            self._file = make(dir=self._directory.path, prefix="asr-body-", buffering=0)
        view = memoryview(piece)
        while view:
            view = view[self._file.write(view) :]


def _failed(reason: str) -> StorageFailed:
    metrics.REJECTED.labels("storage").inc()
    return StorageFailed(f"long bodies are stored on the server's disk: {reason}")


def _can_be_nameless() -> bool:
    """Whether a lane can open a file of this process: there is /proc, and it is ours, as it is not after setuid(2)."""
    try:
        return Path(f"/proc/{os.getpid()}/fd").stat().st_uid == os.geteuid()
    except OSError:
        return False


def _path_of(file: Any) -> Path:
    return Path(file.name) if isinstance(file.name, str) else Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")
