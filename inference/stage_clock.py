"""How long each stage took, measured where the work is done."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from inference.types import StageTime

Checkpoint: TypeAlias = Callable[[], None]
"""Called where work can stop; raises WorkInterrupted to stop it."""


class StageClock:
    """Asks before each stage whether to go on, and measures it."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._times: dict[str, StageTime] = {}

    @property
    def times(self) -> tuple[StageTime, ...]:
        """One for each stage, however often it was gone through."""
        return tuple(self._times.values())

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Go through a stage."""
        self._checkpoint()
        began = time.monotonic()
        yield
        before = self._times.get(stage, StageTime(stage, began, 0.0))
        self._times[stage] = dataclasses.replace(before, seconds=before.seconds + time.monotonic() - began)
