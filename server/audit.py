"""The audit log: who did what, how much of it, and how it ended, a JSON line each; never audio, texts or secrets."""

import fcntl
import json
import os
import stat
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from loguru import logger

from server import metrics

_STREAMS = {"stdout": 1, "stderr": 2}
_LOOKS, _LOOK_SECONDS = 3, 0.002  # in which a line that is being written ends
_LONGEST = 512  # characters of a value: lines stay below what a pipe takes whole


class AuditLog:
    """Lines in a file, or on a standard stream; those of all workers stay whole, since each is written at once.

    A file is made for its owner alone, and made again where another program has moved it away. Where a line cannot be
    written, the request goes on: `warnings` and a metric say so.
    """

    def __init__(self, target: str) -> None:
        """`target` is a path, `stdout` or `stderr`."""
        self._path = None if target in _STREAMS else Path(target)
        self._descriptor = _STREAMS.get(target, -1)
        self._failure = ""
        self._is_half = False
        """The last line that was written here."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Whether lines are lost, as a sentence."""
        return (self._failure,) if self._failure else ()

    def write(self, record: Mapping[str, object]) -> None:
        """Write a line with the time of now."""
        fields = {name: value[:_LONGEST] if isinstance(value, str) else value for name, value in record.items()}
        line = json.dumps({"timestamp": datetime.now(UTC).isoformat(), **fields}).encode() + b"\n"
        try:
            lost = "" if self._append(line) else "the disk is full"
        except OSError as error:
            lost = str(error)
        if lost:
            metrics.AUDIT_LINES_LOST.inc()
            if not self._failure:
                logger.bind(reason=lost).error("the audit log cannot be written")
        self._failure = lost and f"the audit log cannot be written: {lost}"

    def close(self) -> None:
        """Close the file."""
        if self._path and self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _append(self, line: bytes) -> bool:
        """Write a line; return whether there was room for all of it."""
        descriptor = self._open()
        try:
            ended = b"\n" if self._ends_within_line(descriptor) else b""
            if not ended:
                _lock(descriptor, fcntl.LOCK_SH)
            written = os.write(descriptor, ended + line)
        finally:
            _lock(descriptor, fcntl.LOCK_UN)
        self._is_half = len(ended) < written < len(ended + line)
        return written == len(ended + line)

    def _open(self) -> int:
        if self._path and not self._is_there(self._path):
            self.close()
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._descriptor

    def _ends_within_line(self, descriptor: int) -> bool:
        """Whether a full disk has cut the last line off, of which the next one would be a part, and lost with it.

        In a file it may be that of another worker, or of a server before this one. A line that another worker is just
        writing looks the same for a moment, since a file grows by pages; but then that one has a lock, for which nobody
        waits longer than this, since it may be stopped. Who finds a line cut off keeps all others out until the next
        one is written.
        """
        if not self._path or not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return self._is_half
        for _ in range(_LOOKS):
            if self._has_ended(self._path, os.fstat(descriptor).st_size):
                return False
            if _lock(descriptor, fcntl.LOCK_EX):
                return not self._has_ended(self._path, os.fstat(descriptor).st_size)
            time.sleep(_LOOK_SECONDS)
        return False

    def _has_ended(self, path: Path, size: int) -> bool:
        """Whether the byte before `size` ends a line."""
        try:
            with path.open("rb", buffering=0) as file:  # apart, since it need not be a file that can be read
                return os.pread(file.fileno(), 1, max(0, size - 1)) in (b"", b"\n")
        except OSError:
            return not self._is_half

    def _is_there(self, path: Path) -> bool:
        try:
            return self._descriptor >= 0 and os.path.samestat(path.stat(), os.fstat(self._descriptor))
        except FileNotFoundError:
            return False


def _lock(descriptor: int, kind: int) -> bool:
    """Lock a file or unlock it, without waiting; return False where another has a lock that forbids it."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # what knows no locks: some file systems, and standard streams
        return True
    return True
