"""Remembers inputs that kill processes, so that they are not let in a third time."""

import hashlib
import time
from dataclasses import dataclass

_KILLS = 2
_SECONDS = 300.0


@dataclass(slots=True)
class _Record:
    kills: int
    latest: float


class Quarantine:
    """Counts lanes killed by each input, by digest; a success clears the count."""

    def __init__(self) -> None:
        self._records: dict[bytes, _Record] = {}

    def holds(self, data: bytes) -> bool:
        """Whether this input killed two processes within the last five minutes."""
        self._forget_old()
        # The digest of a large file takes milliseconds: only ever made while there is something to find.
        if not self._records:
            return False
        record = self._records.get(_digest(data))
        return record is not None and record.kills >= _KILLS

    def record_kill(self, data: bytes) -> None:
        """A process died under this input."""
        record = self._records.setdefault(_digest(data), _Record(0, 0.0))
        record.kills += 1
        record.latest = time.monotonic()

    def record_success(self, data: bytes) -> None:
        """It came through: what killed the process before was something else."""
        if self._records:
            self._records.pop(_digest(data), None)

    def _forget_old(self) -> None:
        horizon = time.monotonic() - _SECONDS
        self._records = {digest: record for digest, record in self._records.items() if record.latest > horizon}


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
