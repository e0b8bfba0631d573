"""Windows of a recording → one Transcript, with stage times that mean what they mean for a clip."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from inference.audio.windows import Window
from inference.joining import Joiner
from inference.package import Package
from inference.types import STAGES, Options, Segment, StageTime, Transcript


class Ended(Protocol):
    """What is known of a recording once it is decoded."""

    @property
    def duration(self) -> float:
        """Seconds of audio received."""
        ...

    @property
    def clipped(self) -> bool:
        """Whether only the beginning was decoded."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences."""
        ...


class Joined:
    """What has been heard of one recording so far, each channel for itself."""

    def __init__(self, options: Options) -> None:
        self._joiners: defaultdict[int | None, Joiner] = defaultdict(lambda: Joiner(words=options.words))
        self._segments: list[Segment] = []
        self._stages: list[tuple[StageTime, ...]] = []
        """Of each window."""
        self.heard = 0.0
        """Seconds of speech."""
        self.end = 0.0
        """Seconds of the recording up to which all has been heard."""

    def add(self, window: Window, transcript: Transcript) -> tuple[Segment, ...]:
        """Take the next window of its channel; return the segments that have become final."""
        final = self._joiners[window.channel].add(window, transcript)
        self._segments += final
        self._stages.append(transcript.stages)
        self.heard += window.owned.end - window.owned.start
        self.end = max(self.end, window.owned.end)
        return final

    def finish(self) -> tuple[Segment, ...]:
        """Return the segments that waited for a next window."""
        final = tuple(segment for joiner in self._joiners.values() for segment in joiner.finish())
        self._segments += final
        return final

    def transcript(self, package: Package, ended: Ended, turn: StageTime, decode: StageTime) -> Transcript:
        """Join all of it; `turn` is the wait before any of it began, `decode` what its decoder took."""
        self.finish()
        times = {
            "queue": replace(turn, stage="queue", seconds=turn.seconds + _stood_still(self._stages)),
            "decode": replace(decode, stage="decode"),
        }
        return Transcript(
            segments=tuple(sorted(self._segments, key=lambda segment: segment.start)),
            language=package.language,
            model=package.name,
            duration=ended.duration,
            heard=self.heard,
            clipped=ended.clipped,
            stages=tuple(times.get(stage) or self._sum(stage, turn.began) for stage in STAGES),
            warnings=ended.warnings,
        )

    def _sum(self, stage: str, began: float) -> StageTime:
        """Lane seconds of all windows, which is more than passed where several lanes were at it."""
        times = [time for stages in self._stages for time in stages if time.stage == stage]
        first = min((time.began for time in times), default=began)
        return StageTime(stage, first, sum(time.seconds for time in times))


def _stood_still(windows: Iterable[tuple[StageTime, ...]]) -> float:
    """Seconds in which windows waited, and no lane was at any of them: what others took.

    A window that waits while a lane is at the one before it waits for nobody else.
    """
    changes: list[tuple[float, int, int]] = []
    for waited, *worked in windows:
        begun = waited.began + waited.seconds
        done = worked[-1].began + worked[-1].seconds if worked else begun
        changes += ((waited.began, 1, 0), (begun, -1, 1), (done, 0, -1))
    seconds, last, waiting, at_work = 0.0, 0.0, 0, 0
    for moment, more_waiting, more_at_work in sorted(changes):
        if waiting and not at_work:
            seconds += moment - last
        waiting, at_work, last = waiting + more_waiting, at_work + more_at_work, moment
    return seconds
