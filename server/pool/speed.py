"""How many lane seconds a second of audio takes, learnt from what came through."""

from collections import defaultdict
from dataclasses import dataclass
from typing import TypeAlias

from inference.task import Kind
from server import metrics

Key: TypeAlias = tuple[str, Kind]
"""A model, and what was done with it."""

_HALF_LIFE_SECONDS = 120.0  # of audio: new load shows within a few requests, one odd clip does not
_UNKNOWN = 0.5  # before the first canary: a pessimist's guess


@dataclass(slots=True)
class _Seen:
    audio: float = 0.0
    lane: float = 0.0


class Speed:
    """A moving estimate for each model and kind of task."""

    def __init__(self) -> None:
        self._seen: defaultdict[Key, _Seen] = defaultdict(_Seen)

    def learn(self, model: str, kind: Kind, audio_seconds: float, lane_seconds: float) -> None:
        """Take in one piece of audio that came through, by the seconds of it that were decoded."""
        seen = self._seen[model, kind]
        decay = 0.5 ** (audio_seconds / _HALF_LIFE_SECONDS)
        seen.audio = seen.audio * decay + audio_seconds
        seen.lane = seen.lane * decay + lane_seconds
        metrics.REAL_TIME_FACTOR.labels(model).set(self.real_time_factor(model, kind))

    def real_time_factor(self, model: str, kind: Kind) -> float:
        """Lane seconds for each second of audio; of a kind not seen yet, what `transcribe` takes."""
        seen = self._seen.get((model, kind)) or self._seen.get((model, "transcribe"))
        return seen.lane / seen.audio if seen and seen.audio else _UNKNOWN
