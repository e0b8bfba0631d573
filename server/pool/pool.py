"""The pool of one Gunicorn worker: admission, one fair queue, and lanes that work it off.

    run() ──admit──▶ Backlog ──▶ Driver ──▶ Lane ──▶ process       a lane that dies is started again;
      ▲       429        └─────▶ Driver ──▶ Lane ──▶ process       its entry is tried once more
      └─────────── entry.outcome ◀────┘

The queue stays here in the parent, where work can still be reordered, refused and withdrawn.
"""

import asyncio
import math
import time
from collections.abc import Sequence
from pathlib import Path

from loguru import logger

from inference.errors import DeadlineExceeded
from inference.task import Kind, Task
from inference.types import Transcript
from server import metrics, tracing
from server.errors import Overloaded, PoisonInput, ShuttingDown
from server.pool.backlog import Backlog
from server.pool.driver import Driver, Patience
from server.pool.entry import Entry
from server.pool.keeper import Keeper
from server.pool.lane import Lane
from server.pool.limits import Limits
from server.pool.observer import observe
from server.pool.quarantine import Quarantine
from server.pool.siblings import Siblings
from server.principal import Principal

_DRIVER_PAUSE = 1.0  # seconds before a driver that failed goes on


class Pool:
    """Lives in one event loop; `start` before use, `close` after."""

    def __init__(
        self, lanes: Sequence[Lane], model: str, limits: Limits, patience: Patience, shared: Path | None = None
    ) -> None:
        """`model` is what every lane loads before any request; in the directory `shared` workers share their work."""
        self._limits = limits
        self._backlog = Backlog()
        self._quarantine = Quarantine()
        self._keepers = [Keeper(lane, model, self._backlog) for lane in lanes]
        self._drivers = [Driver(keeper, self._backlog, self._quarantine, patience) for keeper in self._keepers]
        self._siblings = None if shared is None else Siblings(shared, self._backlog, self)
        self._driving: list[asyncio.Task[None]] = []
        self._closing = False

    async def start(self) -> None:
        """Begin to start every lane; `ready` says when they are."""
        if self._siblings is not None:
            await self._siblings.start()
        metrics.LANES.labels("down").inc(len(self._drivers))
        self._driving = [
            asyncio.create_task(_supervise(driver), name=f"lane-{index}") for index, driver in enumerate(self._drivers)
        ]
        lanes = [keeper.lane for keeper in self._keepers]
        self._driving.append(asyncio.create_task(observe(self._backlog, lanes), name="observer"))

    async def close(self) -> None:
        """Take nothing new, end every process, and answer whoever still waits."""
        self._closing = True
        if self._siblings is not None:
            await self._siblings.close()
        for driving in self._driving:
            driving.cancel()
        await asyncio.gather(*self._driving, return_exceptions=True)
        metrics.LANES.labels("down").dec(len(self._drivers))
        while entry := self._backlog.get_nowait():
            entry.fail(ShuttingDown("this worker ends; try again at once"))

    @property
    def ready(self) -> bool:
        """Whether every lane has come up since the start, and at least one is up now."""
        came_up = all(keeper.came_up for keeper in self._keepers)
        return came_up and any(keeper.ready for keeper in self._keepers) and not self._closing

    @property
    def room(self) -> float:
        """Share of the longest wait that is still free: 1 where work begins at once, 0 where the queue is full."""
        return max(0.0, 1.0 - self._backlog.wait_of_all() / self._limits.max_queue_seconds)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why models are not computed as was asked for, and lanes not confined, as sentences; each once."""
        of_models = (warnings for keeper in self._keepers for warnings in keeper.warnings.values())
        missing = next((keeper.unguarded for keeper in self._keepers if keeper.unguarded), ())
        of_lanes = [f"clips are decoded without {' and '.join(missing)}"] if missing else []
        return tuple(dict.fromkeys([*(warning for warnings in of_models for warning in warnings), *of_lanes]))

    @property
    def recordings_elsewhere(self) -> int:
        """How many recordings the other workers have under way."""
        return 0 if self._siblings is None else self._siblings.recordings

    def show_recordings(self, count: int) -> None:
        """Tell the other workers how many are under way here."""
        if self._siblings is not None:
            self._siblings.show_recordings(count)

    def cost(self, model: str, kind: Kind, audio_seconds: float) -> float:
        """Predict the lane seconds that so much audio takes."""
        return audio_seconds * self._backlog.speed.real_time_factor(model, kind)

    def refuse_overload(self, principal: Principal, patience: float, cost: float = 0.0) -> float:
        """Raise Overloaded where this principal would wait too long, miss its deadline, or push others past theirs.

        Asked before a body is read too, when its `cost` is not known yet. Returns the predicted wait, in seconds.
        """
        wait, wait_of_all = self._backlog.wait_of(principal.id), self._backlog.wait_of_all()
        if refusal := self._limits.refusal(wait, wait_of_all, cost, patience):
            excess, reason = refusal
            metrics.REJECTED.labels("overloaded").inc()
            raise Overloaded(reason, max(1, math.ceil(excess)))
        return wait

    def admit(self, principal: Principal, patience: float, cost: float = 0.0) -> None:
        """Let in a request whose tasks come later, each by `run_part`; raise Overloaded or ShuttingDown."""
        self._refuse_if_closing()
        metrics.PREDICTED_WAIT_SECONDS.observe(self.refuse_overload(principal, patience, cost))

    async def run(self, task: Task, principal: Principal, cost: float) -> Transcript:
        """Queue a task and wait for its transcript, until its deadline at most.

        Raises Overloaded, PoisonInput or ShuttingDown before any work; DeadlineExceeded; LaneCrashed; ModelUnavailable;
        any InputError. Cancelling it frees the place in the queue, or stops the work at its next stage.
        """
        await self._refuse_poison(task)
        self.admit(principal, task.deadline - time.monotonic(), cost)
        entry = Entry(task, principal, cost)
        try:
            return await self._see_through(entry)
        except DeadlineExceeded:
            metrics.DEADLINES_MISSED.labels(self._place(entry)).inc()
            raise
        except asyncio.CancelledError:
            metrics.CANCELLED.labels(self._place(entry)).inc()
            metrics.CANCELLED_SECONDS.inc(cost)
            raise

    async def run_part(self, task: Task, principal: Principal, cost: float) -> Transcript:
        """Do the same for a task of a request that was let in: it is not refused, whatever else waits.

        What becomes of the request is counted by whoever holds all its parts.
        """
        self._refuse_if_closing()
        await self._refuse_poison(task)
        return await self._see_through(Entry(task, principal, cost))

    def _refuse_if_closing(self) -> None:
        if self._closing:
            metrics.REJECTED.labels("shutting_down").inc()
            raise ShuttingDown("this worker takes no new requests; try again at once")

    async def _refuse_poison(self, task: Task) -> None:
        if await self._quarantine.holds(task):
            metrics.REJECTED.labels("poison").inc()
            raise PoisonInput("this very input has ended two processes within the last minutes")

    async def _see_through(self, entry: Entry) -> Transcript:
        deadline = entry.deadline
        self._backlog.put(entry)
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + deadline - time.monotonic()):
                return await entry.outcome
        except BaseException as error:
            _trace(entry)
            if isinstance(error, TimeoutError | DeadlineExceeded):
                raise DeadlineExceeded(f"no answer within {deadline - entry.admitted:.3g} s") from None
            raise
        finally:
            self._leave(entry)

    @staticmethod
    def _place(entry: Entry) -> str:
        return "lane" if entry.started else "queue"

    def _leave(self, entry: Entry) -> None:
        """Return the permit, however the request ended."""
        if self._backlog.in_lane(entry):
            for driver in self._drivers:
                driver.abandon(entry)
        else:
            self._backlog.withdraw(entry)


def _trace(entry: Entry) -> None:
    """Say where the time went of what has no stage times, since it came to nothing."""
    now = time.monotonic()
    begun = entry.started or now
    tracing.record("queue", entry.admitted, begun - entry.admitted)
    if entry.started:
        tracing.record("lane", begun, now - begun, {"tries": entry.tries + 1})


async def _supervise(driver: Driver) -> None:
    """Keep a lane going whatever its driver raises."""
    while True:
        try:
            await driver.drive()
        except Exception as error:  # noqa: BLE001 - a bug must not cost a lane for ever
            logger.opt(exception=error).error("the driver of a lane failed, and goes on")
            metrics.LANE_RESTARTS.labels("driver_failed").inc()
            await asyncio.sleep(_DRIVER_PAUSE)
