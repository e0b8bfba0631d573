"""What stands before a request: the queue, the clips in the lanes, and how fast they go.

Work is counted in seconds of audio, and turned into seconds of waiting by the speed measured on the
requests that were served.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from inference.types import Transcript
from inference.worker import Answer
from server import metrics
from server.pool.fair_queue import FairQueue, Ticket

_HALF_LIFE_SECONDS = 120.0  # of audio: new load shows within a few requests, one odd clip does not
_REAL_TIME_FACTOR_UNKNOWN = 0.5  # before the first canary: a pessimist's guess


@dataclass(frozen=True, slots=True)
class Completed:
    """What came out of a lane."""

    transcript: Transcript
    queue_seconds: float
    """Wait for a lane."""


@dataclass(slots=True, eq=False)
class Job:
    """One request on its way through the pool."""

    data: bytes
    client: str
    seconds: float
    """Audio, estimated; what it costs its client."""
    deadline: float
    """`time.monotonic()`."""
    outcome: asyncio.Future[Completed] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    admitted: float = field(default_factory=time.monotonic)
    started: float = 0.0
    """`time.monotonic()` at which a lane began to work on it; 0 until then."""
    tries: int = 0
    ticket: Ticket | None = None

    def succeed(self, answer: Answer) -> None:
        """Answer, where somebody still waits."""
        if not self.outcome.done():
            self.outcome.set_result(Completed(answer.transcript, answer.began - self.admitted))

    def fail(self, error: Exception) -> None:
        """Answer with an error, where somebody still waits."""
        if not self.outcome.done():
            self.outcome.set_exception(error)


class Backlog:
    """Queued and running jobs of one worker, and the prediction made from them."""

    def __init__(self, lanes: int, weights: Mapping[str, float] | None = None) -> None:
        self._lanes = lanes
        self._queue: FairQueue[Job] = FairQueue(weights)
        self._in_lanes: set[Job] = set()
        self._audio = 0.0
        self._compute = 0.0

    def put(self, job: Job) -> None:
        """Queue a job in its client's turn."""
        job.ticket = self._queue.put(job, job.client, job.seconds)
        metrics.QUEUED_AUDIO_SECONDS.set(self._queue.seconds)

    def put_back(self, job: Job) -> None:
        """Queue a job that has had its turn, before all others."""
        job.ticket = self._queue.put_first(job, job.seconds)
        metrics.QUEUED_AUDIO_SECONDS.set(self._queue.seconds)

    async def get(self) -> Job:
        """Wait for the next job that is still wanted."""
        job = await self._queue.get()
        metrics.QUEUED_AUDIO_SECONDS.set(self._queue.seconds)
        return job

    def get_nowait(self) -> Job | None:
        """Return the next job that is still wanted; None where nothing waits."""
        job = self._queue.get_nowait()
        metrics.QUEUED_AUDIO_SECONDS.set(self._queue.seconds)
        return job

    def withdraw(self, job: Job) -> bool:
        """Free the place of a job that still waits; False where it does not."""
        withdrawn = job.ticket is not None and self._queue.withdraw(job.ticket)
        metrics.QUEUED_AUDIO_SECONDS.set(self._queue.seconds)
        return withdrawn

    def hand_over(self, job: Job) -> None:
        """A lane has it, and works on it as soon as it is done with what it has already."""
        job.started = 0.0
        self._in_lanes.add(job)

    def begin(self, job: Job) -> None:
        """Its lane is at it."""
        job.started = time.monotonic()
        metrics.RUNNING.inc()

    def end(self, job: Job) -> None:
        """The lane is done with it, however it went."""
        self._in_lanes.discard(job)
        if job.started:
            metrics.RUNNING.dec()

    def in_lane(self, job: Job) -> bool:
        """Whether a lane has it."""
        return job in self._in_lanes

    def observe(self, audio_seconds: float, compute_seconds: float) -> None:
        """Learn the speed from a clip that came through."""
        decay = 0.5 ** (audio_seconds / _HALF_LIFE_SECONDS)
        self._audio = self._audio * decay + audio_seconds
        self._compute = self._compute * decay + compute_seconds
        metrics.REAL_TIME_FACTOR.set(self.real_time_factor)

    @property
    def real_time_factor(self) -> float:
        """Compute seconds for each second of audio, in one lane; a moving estimate."""
        return self._compute / self._audio if self._audio else _REAL_TIME_FACTOR_UNKNOWN

    def wait_of(self, client: str) -> float:
        """Predicted seconds until a new job of this client would run."""
        return self._wait(self._queue.seconds_ahead(client))

    def wait_of_all(self) -> float:
        """Predicted seconds until all that is queued would be running."""
        return self._wait(self._queue.seconds)

    def _wait(self, queued_seconds: float) -> float:
        if not queued_seconds and len(self._in_lanes) < self._lanes:
            return 0.0
        now = time.monotonic()
        factor = self.real_time_factor
        left = sum(max(0.0, job.seconds * factor - (now - (job.started or now))) for job in self._in_lanes)
        return (queued_seconds * factor + left) / self._lanes
