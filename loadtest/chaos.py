"""Kills lanes of a server of one's own, and reads off its log how soon they were back."""

import os
import random
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Self

from loadtest.harness.server import GunicornServer


class Killer:
    """SIGKILL for a random lane every few seconds, for the length of a `with` block."""

    def __init__(self, server: GunicornServer, every_seconds: float = 2.0) -> None:
        self._server, self._every = server, every_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._kill_on, name="chaos", daemon=True)
        self._chance = random.Random(9)
        self.kills: list[float] = []
        """When: seconds since the epoch."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _kill_on(self) -> None:
        while not self._stop.wait(self._every):
            # Those in service: one that is killed while it starts was missed by nobody.
            in_service = {event["pid"] for event in self._server.logged("lane ready")}
            lanes = [lane.pid for lane in self._server.lanes() if lane.pid in in_service]
            with suppress(ProcessLookupError):
                if lanes:
                    os.kill(self._chance.choice(lanes), signal.SIGKILL)
                    self.kills.append(time.time())


def seconds_until_back(kills: Sequence[float], ready: Sequence[dict[str, Any]]) -> list[float]:
    """From each kill to the log line `lane ready` that followed it, in the order of both."""
    times = [datetime.fromisoformat(event["timestamp"]).timestamp() for event in ready]
    back = [found for found in times if kills and found > kills[0]]
    return [found - kill for kill, found in zip(kills, back, strict=False)]
