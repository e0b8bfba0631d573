"""The pool of one Gunicorn worker: admission, one fair queue, and lanes that work it off.

    transcribe() ──admit──▶ Backlog ──▶ Driver ──▶ Lane ──▶ process       a lane that dies is started again;
         ▲         429         └──────▶ Driver ──▶ Lane ──▶ process       its request is tried once more
         └─────────────── job.outcome ◀────┘

The queue stays here in the parent, where work can still be reordered, refused and withdrawn.
"""

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from inference.audio.decode import estimate_seconds
from inference.errors import DeadlineExceeded
from inference.worker import Setup
from server import metrics
from server.errors import Overloaded, PoisonInput, ShuttingDown
from server.pool.backlog import Backlog, Completed, Job
from server.pool.driver import Driver, Patience
from server.pool.process_lane import Lane
from server.pool.quarantine import Quarantine


@dataclass(frozen=True, slots=True)
class Limits:
    """What the pool takes on; see the settings of the same names."""

    max_queue_seconds: float
    request_timeout: float
    client_weights: Mapping[str, float] = field(default_factory=dict)


class Pool:
    """Lives in one event loop; `start` before use, `close` after."""

    def __init__(self, setup: Setup, lanes: int, limits: Limits, patience: Patience) -> None:
        self._setup = setup
        self._limits = limits
        self._backlog = Backlog(lanes, limits.client_weights)
        self._quarantine = Quarantine()
        self._drivers = [Driver(Lane(setup), self._backlog, self._quarantine, patience) for _ in range(lanes)]
        self._driving: list[asyncio.Task[None]] = []
        self._closing = False

    def start(self) -> None:
        """Begin to start every lane; `ready` tells when they are."""
        metrics.LANES.labels("down").inc(len(self._drivers))
        self._driving = [
            asyncio.create_task(driver.drive(), name=f"lane-{index}") for index, driver in enumerate(self._drivers)
        ]

    async def close(self) -> None:
        """Take nothing new, and end every process."""
        self._closing = True
        for driving in self._driving:
            driving.cancel()
        await asyncio.gather(*self._driving, return_exceptions=True)

    @property
    def ready(self) -> bool:
        """Whether every lane has come up since the start, and at least one is up now."""
        came_up = all(driver.came_up for driver in self._drivers)
        return came_up and any(driver.ready for driver in self._drivers) and not self._closing

    def refuse_overload(self, client: str, patience: float, seconds: float = 0.0) -> float:
        """Raise Overloaded where this client would wait too long, miss its deadline, or push others past theirs.

        Asked before a body is read too, when its `seconds` of audio are not known yet. Returns the predicted wait.
        """
        wait = self._backlog.wait_of(client)
        excess = max(
            wait - self._limits.max_queue_seconds,
            wait + seconds * self._backlog.real_time_factor - patience,
            self._backlog.wait_of_all() - self._limits.request_timeout,
        )
        if excess > 0:
            metrics.REJECTED.labels("overloaded").inc()
            raise Overloaded(f"{wait:.1f} s of work stand before this request", max(1, math.ceil(excess)))
        return wait

    async def transcribe(self, data: bytes, client: str, patience: float) -> Completed:
        """Queue one file of audio and wait for its text, `patience` seconds at most.

        Raises Overloaded, PoisonInput or ShuttingDown before any work; DeadlineExceeded; LaneCrashed; any InputError.
        Cancelling it frees the place in the queue, or stops the work at its next stage.
        """
        job = self._admit(data, client, min(patience, self._limits.request_timeout))
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + job.deadline - time.monotonic()):
                return await job.outcome
        except (TimeoutError, DeadlineExceeded):
            metrics.DEADLINES_MISSED.labels(self._place(job)).inc()
            raise DeadlineExceeded(f"no answer within {job.deadline - job.admitted:.3g} s") from None
        except asyncio.CancelledError:
            metrics.CANCELLED.labels(self._place(job)).inc()
            metrics.CANCELLED_AUDIO_SECONDS.inc(job.seconds)
            raise
        finally:
            self._leave(job)

    def _admit(self, data: bytes, client: str, timeout: float) -> Job:
        if self._closing:
            metrics.REJECTED.labels("shutting_down").inc()
            raise ShuttingDown("this worker takes no new requests; try again at once")
        if self._quarantine.holds(data):
            metrics.REJECTED.labels("poison").inc()
            raise PoisonInput("this very input has ended two processes within the last minutes")
        seconds = min(estimate_seconds(data), self._setup.options.limit_seconds)
        metrics.PREDICTED_WAIT_SECONDS.observe(self.refuse_overload(client, timeout, seconds))
        job = Job(data, client, seconds, time.monotonic() + timeout)
        self._backlog.put(job)
        return job

    @staticmethod
    def _place(job: Job) -> str:
        return "lane" if job.started else "queue"

    def _leave(self, job: Job) -> None:
        """Return the permit, however the request ended."""
        if self._backlog.in_lane(job):
            for driver in self._drivers:
                driver.abandon(job)
        else:
            self._backlog.withdraw(job)
