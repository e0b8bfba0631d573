"""A recording → Transcript: decoded apart, heard in windows by whichever lanes are free, joined as they come.

    audio ─▶ DecoderProcess ─ Window ─▶ Pool.run_part ─▶ lane        at most so many windows under way,
                                              └─▶ Joined             however long it is

It is admitted once; its windows then stand in the fair queue as other requests of their principal do. One that fails
for good fails the whole, since half a text looks like a whole one. Leaving early ends the decoder and all windows.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from loguru import logger

from inference.audio.decoder_process import DecoderProcess
from inference.audio.decoder_start import SpareDecoder, StartedDecoder, Work
from inference.audio.windows import Window
from inference.errors import DeadlineExceeded, InferenceError
from inference.package import Package
from inference.task import Task
from inference.types import AudioLimits, Options, StageTime, Transcript
from server import correlation, metrics, telemetry, tracing
from server.deadline import Deadline
from server.errors import ServerError
from server.joined import Joined
from server.pool.pool import Pool
from server.principal import Principal
from server.quotas.meter import Meter
from server.streaming import OnSegments
from server.turns import Turns

_AT_ONCE = 4  # recordings of a worker, each with a decoder of its own, which is as fast as many lanes
_GROWS_EVERY = 0.5  # seconds
_MOST_UNJOINED = 64  # windows, a MiB each; those that were heard wait for earlier ones to be joined


@dataclass(frozen=True, slots=True)
class Recording:
    """What is to be transcribed, for whom and until when."""

    audio: bytes | Path
    seconds: float
    """By its own word; 0 where it has none."""
    channels: int
    """To be heard apart, by its own word; 1 where it has none, or they are mixed."""
    package: Package
    options: Options
    principal: Principal
    deadline: Deadline
    meter: Meter


class Recordings:
    """Those of one worker."""

    def __init__(self, pool: Pool, limits: AudioLimits, lanes: int) -> None:
        """`lanes` are those of all workers: each may have a window, and one more waits for the first that is free."""
        self.unguarded: tuple[str, ...] = ()
        """What keeps decoders in and is not to be had on this machine; known from the first recording on."""
        self._pool = pool
        self._limits = limits
        self._lanes = lanes
        self._turns = Turns(_AT_ONCE)
        self._spare = SpareDecoder()

    def close(self) -> None:
        """End what waits for a recording."""
        self._spare.close()

    def admit(self, recording: Recording) -> None:
        """Raise Overloaded where its principal would wait too long, or its client has less patience than it takes."""
        cost = self._cost(recording, recording.seconds) / self._lanes
        self._pool.admit(recording.principal, recording.deadline.seconds(recording.seconds), cost)

    async def transcribe(self, recording: Recording, on_segments: OnSegments = lambda _: None) -> Transcript:
        """Transcribe one that was admitted; raise what `Pool.run_part` raises, and what its decoder says."""
        run = _Run(recording, self._pool, self._share, on_segments)
        try:
            async with asyncio.timeout(None) as run.patience:
                run.grow(0.0)
                async with self._turn(recording.principal), self._spare_behind():
                    transcript = await run.go(self._limits, self._spare.take)
                    self.unguarded = run.unguarded
        except (TimeoutError, DeadlineExceeded):
            metrics.DEADLINES_MISSED.labels(run.place).inc()
            waited = time.monotonic() - recording.deadline.began
            raise DeadlineExceeded(f"{run.joined.end:.0f} s of the audio were heard within {waited:.0f} s") from None
        except asyncio.CancelledError:
            metrics.CANCELLED.labels(run.place).inc()
            metrics.CANCELLED_SECONDS.inc(self._cost(recording, max(0.0, recording.seconds - run.joined.end)))
            raise
        telemetry.count_recording(transcript)
        return transcript

    @asynccontextmanager
    async def _turn(self, principal: Principal) -> AsyncIterator[None]:
        """Wait for a place; the other workers are told how many recordings are under way here."""
        try:
            async with self._turns.turn(principal):
                self._pool.show_recordings(self._turns.running)
                yield
        finally:
            self._pool.show_recordings(self._turns.running)

    @asynccontextmanager
    async def _spare_behind(self) -> AsyncIterator[None]:
        """Have a decoder wait for the next recording."""
        try:
            yield
        finally:
            with suppress(OSError):  # which is told where one is wanted
                self._spare.prepare()

    def _share(self) -> int:
        """Windows that one recording may have under way, so that all of all workers leave no lane idle and no queue."""
        return -(-(self._lanes + 1) // (self._turns.running + self._pool.recordings_elsewhere))

    def _cost(self, recording: Recording, seconds: float) -> float:
        return recording.channels * self._pool.cost(recording.package.name, "recognise", seconds)


class _Run:
    """One recording under way."""

    patience: asyncio.Timeout

    def __init__(self, recording: Recording, pool: Pool, share: Callable[[], int], on_segments: OnSegments) -> None:
        self.joined = Joined(recording.options)
        self.unguarded: tuple[str, ...] = ()
        self._recording = recording
        self._pool = pool
        self._share = share
        self._on_segments = on_segments
        self._windows = 0
        """In the queue or in lanes."""
        self._heard = asyncio.Event()
        """One of them, since it was last looked."""
        self._seconds = recording.seconds
        """Of audio, as far as is known by now."""
        self._under_way: deque[tuple[Window, asyncio.Task[Transcript]]] = deque()
        """In their order, until they are joined."""
        self._decoded = StageTime("decode", recording.deadline.began, 0.0)

    @property
    def place(self) -> str:
        """How far it came, for the counts of what goes no further."""
        return "lane" if self.joined.end else "queue"

    def grow(self, seconds: float) -> None:
        """It is at least so long, which moves its deadline."""
        self._seconds = max(self._seconds, seconds)
        if self.patience.expired():
            return
        self.patience.reschedule(asyncio.get_running_loop().time() + self._deadline - time.monotonic())

    async def go(self, limits: AudioLimits, start: Callable[[], StartedDecoder]) -> Transcript:
        """Have it decoded and heard; `start` gives the process that decodes."""
        began = self._recording.deadline.began
        turn = StageTime("queue", began, time.monotonic() - began)
        tracing.record("turn", began, turn.seconds)
        longest = self._recording.deadline.at(limits.longest_seconds)
        work = Work(self._recording.audio, limits, self._recording.options, self._recording.package.features)
        decoding = DecoderProcess(work, longest, start)
        async with decoding as windows, _together() as group:
            growing = group.create_task(self._keep_growing(windows))
            with tracing.timed("decoder", {"pid": windows.pid}):
                while (window := await self._next(windows)) is not None:
                    self.grow(windows.seconds)
                    # So that nobody hears what is over a limit.
                    await self._recording.meter.decoded(windows.channels * windows.seconds)
                    await self._find_room()
                    self._under_way.append((window, group.create_task(self._recognise(window))))
                    await self._join(_MOST_UNJOINED)
            assert windows.end  # noqa: S101 - after the last window
            seconds = windows.seconds if windows.end.clipped else windows.end.duration
            await self._recording.meter.decoded(windows.channels * seconds)
            await self._join(0)
            growing.cancel()
            self.unguarded = windows.unguarded
            with tracing.timed("join"):
                self._on_segments(self.joined.finish())
                return self.joined.transcript(self._recording.package, windows.end, turn, self._decoded)

    async def _keep_growing(self, decoding: DecoderProcess) -> None:
        """Through silences too, of which no window comes."""
        while True:
            self.grow(decoding.seconds)
            await asyncio.sleep(_GROWS_EVERY)

    async def _next(self, windows: DecoderProcess) -> Window | None:
        began = time.monotonic()
        try:
            window = await anext(windows, None)
        except InferenceError as error:
            if windows.ended_by:
                logger.bind(pid=windows.pid, error=str(error)).warning("a decoder was ended")
            raise
        self._decoded = replace(self._decoded, seconds=self._decoded.seconds + time.monotonic() - began)
        return window

    async def _find_room(self) -> None:
        while self._windows >= self._share():
            self._heard.clear()
            await self._heard.wait()
        self._windows += 1

    async def _recognise(self, window: Window) -> Transcript:
        model = self._recording.package.name
        options = self._recording.options
        options = replace(options, words=options.words or window.shared)  # by which they are divided
        task = Task("recognise", model, window.features, options, self._deadline, correlation.ids())
        cost = self._pool.cost(model, task.kind, window.end - window.start)
        try:
            with metrics.WINDOWS.track_inprogress():
                transcript = await self._pool.run_part(task, self._recording.principal, cost)
        except DeadlineExceeded:
            raise
        except (InferenceError, ServerError) as error:
            raise type(error)(f"{error.detail} ({window.start:.1f} to {window.end:.1f} s)") from error
        finally:
            self._windows -= 1
            self._heard.set()
        telemetry.count_window(transcript, window.owned.end - window.owned.start)
        tracing.record_window(transcript, {"start": window.start, "end": window.end, "channel": window.channel})
        return transcript

    async def _join(self, most: int) -> None:
        """Join what can be, and wait until no more than `most` are left."""
        while self._under_way and (len(self._under_way) > most or self._under_way[0][1].done()):
            window, recognising = self._under_way[0]
            self._on_segments(self.joined.add(window, await recognising))
            self._under_way.popleft()

    @property
    def _deadline(self) -> float:
        return self._recording.deadline.at(self._seconds)


@asynccontextmanager
async def _together() -> AsyncIterator[asyncio.TaskGroup]:
    """Tasks that end together; raise what the first one raised, or the body."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
