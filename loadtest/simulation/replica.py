"""One server: it admits, queues and predicts with the real server's own code; only its lanes are simulated.

Left out: a lane gets its next clip shortly before it is done, here when it is; what waits past its deadline keeps its
place until its turn comes.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from inference.task import Kind
from loadtest.simulation.events import Events
from loadtest.simulation.machine import Machine
from server.pool.fair_queue import FairQueue
from server.pool.limits import Limits, predicted_wait
from server.pool.speed import Speed

_MODEL = "model"
_KIND: Kind = "transcribe"
_WARM_SECONDS = 120.0  # of audio that a replica has heard before
_RECORDINGS_AT_ONCE = 4

Answer = Callable[["Request", str, float], None]
"""Called with a request, a kind of outcome (see `loadtest.harness.outcomes.judge`) and the time of its answer."""


@dataclass(slots=True, eq=False)
class Request:
    """One on its way. Times and lengths are in seconds."""

    at: float
    client: str
    audio: float
    pace: float
    """Lane seconds for a second of its audio, while all lanes work."""
    patience: float
    unheard: float
    """Audio that has not been queued yet."""
    under_way: int = 0
    """Its tasks in the queue or a lane."""

    @property
    def deadline(self) -> float:
        """When its client leaves."""
        return self.at + self.patience


@dataclass(slots=True, eq=False)
class _Task:
    request: Request
    audio: float
    cost: float
    started: float = 0.0


class Replica:
    """One worker and its lanes."""

    def __init__(self, events: Events, machine: Machine, answer: Answer, speed: float = 1.0) -> None:
        """A replica of twice the `speed` takes half the lane seconds."""
        self._events, self._machine, self._answer, self._speed = events, machine, answer, speed
        self._limits = Limits(machine.max_queue_seconds, machine.request_timeout)
        self._queue: FairQueue[_Task] = FairQueue()
        self._learnt = Speed()
        self._in_lanes: set[_Task] = set()
        self._recordings: deque[Request] = deque()
        self._windows = 0
        self.worked = 0.0
        """Lane seconds so far."""
        self.asked = 0.0
        """Lane seconds predicted for all that came, refused or not."""

    def warm_up(self, pace: float) -> None:
        """Have heard clips that took so many lane seconds for a second of audio."""
        self._learnt.learn(_MODEL, _KIND, _WARM_SECONDS, _WARM_SECONDS * pace / self._speed)

    def offer(self, request: Request) -> None:
        """Admit, or refuse at once."""
        machine, now = self._machine, self._events.now
        recording = request.audio > machine.window_seconds
        cost = self._cost(request.audio)
        self.asked += cost
        cost /= machine.lanes if recording else 1
        left = self._left()
        wait = predicted_wait(self._queue.seconds_ahead(request.client), left, machine.lanes)
        wait_of_all = predicted_wait(self._queue.seconds, left, machine.lanes)
        if self._limits.refusal(wait, wait_of_all, cost, request.patience):
            self._answer(request, "refused", now + machine.around)
        elif recording:
            self._recordings.append(request)
            self._feed()
        else:
            self._queue_part(request, request.audio)
        self._begin()

    def wait_of_all(self) -> float:
        """Predicted seconds until all that is queued would be running."""
        return predicted_wait(self._queue.seconds, self._left(), self._machine.lanes)

    def _left(self) -> list[float]:
        now = self._events.now
        return [max(0.0, task.cost - (now - task.started)) for task in self._in_lanes]

    def _cost(self, audio: float) -> float:
        return audio * self._learnt.real_time_factor(_MODEL, _KIND)

    def _feed(self) -> None:
        """Queue windows of recordings: one more than there are lanes, of a few recordings in turns."""
        while self._windows <= self._machine.lanes and self._recordings:
            for request in list(self._recordings)[:_RECORDINGS_AT_ONCE]:
                if self._windows <= self._machine.lanes:
                    self._windows += 1
                    self._queue_part(request, min(request.unheard, self._machine.window_seconds))
            self._recordings = deque(request for request in self._recordings if request.unheard > 0)

    def _queue_part(self, request: Request, audio: float) -> None:
        request.unheard -= audio
        request.under_way += 1
        task = _Task(request, audio, self._cost(audio))
        self._queue.put(task, request.client, task.cost)

    def _begin(self) -> None:
        """Let free lanes take what is next."""
        machine, events = self._machine, self._events
        while len(self._in_lanes) < machine.lanes and (task := self._queue.get_nowait()) is not None:
            task.started = events.now
            self._in_lanes.add(task)
            seconds = task.audio * task.request.pace * self._crowd() / self._speed
            seconds = max(0.0, min(seconds, task.request.deadline - events.now))
            events.at(events.now + seconds + machine.between, self._end, task, seconds)

    def _crowd(self) -> float:
        """How much of the lane seconds of a full machine one takes now."""
        crowding, lanes = self._machine.crowding, self._machine.lanes
        if crowding == 1.0 or lanes == 1:
            return 1.0
        return (1 + (crowding - 1) * (len(self._in_lanes) - 1) / (lanes - 1)) / crowding

    def _end(self, task: _Task, seconds: float) -> None:
        request, now = task.request, self._events.now
        self._in_lanes.remove(task)
        self.worked += seconds
        request.under_way -= 1
        done = now - self._machine.between
        if done >= request.deadline:
            self._give_up(request)
        else:
            self._learnt.learn(_MODEL, _KIND, task.audio, now - task.started)
            if not request.under_way and request.unheard <= 0:
                self._answer(request, "good", done + self._machine.around)
        if request.audio > self._machine.window_seconds:
            self._windows -= 1
            self._feed()
        self._begin()

    def _give_up(self, request: Request) -> None:
        """Nobody waits any more."""
        if request.unheard > 0:
            self._recordings.remove(request)
            request.unheard = 0.0
        if not request.under_way:
            self._answer(request, "late", request.deadline)
