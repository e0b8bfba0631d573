"""Kills lanes of a server of one's own, and reads off its log how soon they were back."""

import json
import os
import random
import signal
import threading
import time
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tools.local_server import LocalServer


class Killer:
    """SIGKILL for a random lane every few seconds, for the length of a `with` block."""

    def __init__(self, server: LocalServer, every_seconds: float = 2.0) -> None:
        self._server = server
        self._every = every_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._kill_on, name="chaos", daemon=True)
        self._chance = random.Random(9)  # noqa: S311 - no secrets here
        self.kills: list[float] = []
        """When: seconds since the epoch."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _kill_on(self) -> None:
        while not self._stop.wait(self._every):
            # Those in service: one that is killed while it starts was missed by nobody.
            in_service = {event["pid"] for event in _ready(self._server.log)}
            lanes = [pid for pid in self._server.lane_pids() if pid in in_service]
            if lanes:
                self.kills.append(time.time())
                try:
                    os.kill(self._chance.choice(lanes), signal.SIGKILL)
                except ProcessLookupError:
                    self.kills.pop()


def seconds_until_back(kills: list[float], log: Path) -> list[float]:
    """From each kill to the `lane ready` that followed it, in the order of both."""
    times = [datetime.fromisoformat(event["timestamp"]).timestamp() for event in _ready(log)]
    back = [time for time in times if kills and time > kills[0]]
    return [ready - kill for kill, ready in zip(kills, back, strict=False)]


def _ready(log: Path) -> list[dict[str, Any]]:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    return [json.loads(line) for line in lines if '"lane ready"' in line and line.endswith("\n")]
