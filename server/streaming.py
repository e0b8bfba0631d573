"""A transcription under way, whose segments are told as they become final."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self, TypeAlias

from inference.types import Segment, Transcript

OnSegments: TypeAlias = Callable[[Sequence[Segment]], None]
"""Is called with segments that have become final, in their order."""


class SegmentStream:
    """Iterate for segments, those of a window at a time; then it has the `transcript`. Leaving it ends the work.

    Iterating raises what the work raises.
    """

    transcript: Transcript
    """Once all segments have come."""

    def __init__(self, start: Callable[[OnSegments], Coroutine[Any, Any, Transcript]]) -> None:
        self._start = start
        self._queue: asyncio.Queue[Sequence[Segment] | None] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        self._work = asyncio.create_task(self._start(self._queue.put_nowait))
        self._work.add_done_callback(lambda _: self._queue.put_nowait(None))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Sequence[Segment]:
        while (segments := await self._queue.get()) is not None:
            if any(segment.text for segment in segments):
                return segments
        self._queue.put_nowait(None)  # for whoever asks again
        self.transcript = await self._work
        raise StopAsyncIteration
