"""A transcription under way, whose segments are told as they become final."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self, TypeAlias

from starlette.requests import ClientDisconnect

from inference.types import Segment, Transcript
from server.errors import CLIENT_LEFT

OnSegments: TypeAlias = Callable[[Sequence[Segment]], None]
"""Is called with segments that have become final, in their order."""


class SegmentStream:
    """Iterate for segments, those of a window at a time; then it has the `transcript`. Leaving it ends the work.

    Iterating raises what the work raises. Segments without a text are left out.
    """

    transcript: Transcript
    """Once all segments have come."""

    def __init__(
        self,
        start: Callable[[OnSegments], Coroutine[Any, Any, Transcript]],
        on_told: Callable[[float], None] = lambda _: None,
    ) -> None:
        """`on_told` is called with the seconds of audio whose text there has been, whenever there is more."""
        self._start = start
        self._on_told = on_told
        self._ends: dict[int | None, float] = {}
        """Of the last segment of each channel."""
        self._queue: asyncio.Queue[Sequence[Segment] | None] = asyncio.Queue()
        self._told = asyncio.Event()

    @property
    def told(self) -> float:
        """Seconds of audio whose text there has been, those of channels heard apart together."""
        return sum(self._ends.values())

    async def __aenter__(self) -> Self:
        self._work = asyncio.create_task(self._start(self._tell))
        self._work.add_done_callback(lambda _: self._queue.put_nowait(None))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._work.cancel(CLIENT_LEFT if isinstance(error, ClientDisconnect) else None)
        await asyncio.gather(self._work, return_exceptions=True)

    async def wait_for_first(self, seconds: float) -> None:
        """Wait until segments are there or all is done, at most so long; raise what goes wrong before them."""
        told = asyncio.create_task(self._told.wait())
        try:
            await asyncio.wait({told, self._work}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
        if self._work.done() and not self._told.is_set():
            self._work.result()

    def _tell(self, segments: Sequence[Segment]) -> None:
        if spoken := [segment for segment in segments if segment.text]:
            for segment in spoken:
                self._ends[segment.channel] = max(segment.end, self._ends.get(segment.channel, 0.0))
            # Not once they are sent: a client that reads slowly gets them when the work has long failed.
            self._on_told(self.told)
            self._queue.put_nowait(spoken)
            self._told.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Sequence[Segment]:
        if (segments := await self._queue.get()) is not None:
            return segments
        self._queue.put_nowait(None)  # for whoever asks again
        self.transcript = await self._work
        raise StopAsyncIteration
