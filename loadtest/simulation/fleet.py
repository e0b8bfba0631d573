"""Replicas behind balancers, and what becomes of the work that comes to them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from loadtest.harness.outcomes import Outcome
from loadtest.simulation.balancers import POLICIES, Balancer
from loadtest.simulation.events import Events
from loadtest.simulation.machine import Machine
from loadtest.simulation.replica import Replica, Request
from loadtest.simulation.work import Work


@dataclass(frozen=True, slots=True)
class Routing:
    """How requests find a replica."""

    policy: str = "least connections"
    """Of `POLICIES`."""
    balancers: int = 1
    """Side by side, none of which knows what the others do."""
    report_seconds: float = 1.0
    """Between two reports of a replica's wait."""


class Fleet:
    """So many replicas, the first `ready` of which serve until `serve` says otherwise."""

    def __init__(
        self,
        machine: Machine,
        replicas: int,
        routing: Routing | None = None,
        *,
        ready: int | None = None,
        speeds: Sequence[float] = (),
    ) -> None:
        """Replicas whose speed is not given have that of the machine, 1."""
        routing = routing or Routing()
        self.events = Events()
        self.machine = machine
        self._routing = routing
        paces = [*speeds, *[1.0] * (replicas - len(speeds))]
        self.replicas = [Replica(self.events, machine, self._answered, speed) for speed in paces]
        policy = POLICIES[routing.policy]
        self._balancers = [
            Balancer(replicas, machine.lanes, policy, np.random.default_rng(seed)) for seed in range(routing.balancers)
        ]
        self._chance = np.random.default_rng(routing.balancers)
        self._on_their_way: dict[Request, tuple[Balancer, int]] = {}
        self._outcomes: list[Outcome] = []
        self._arriving = True
        self.serve(range(ready or replicas))

    def serve(self, ready: Sequence[int]) -> None:
        """Send new requests to these alone."""
        self.ready = ready
        for balancer in self._balancers:
            balancer.serve(ready)

    def every(self, seconds: float, action: Callable[[], object]) -> None:
        """Do something again and again, for as long as requests come."""

        def again() -> None:
            if self._arriving:
                action()
                self.events.at(self.events.now + seconds, again)

        self.events.at(self.events.now + seconds, again)

    def run(self, work: Work) -> list[Outcome]:
        """Let all of it come; return what became of it, in the order of the answers; `detail` tells recordings."""
        pace = float(work.lane.sum() / work.audio.sum())
        for replica in self.replicas:
            replica.warm_up(pace)
        if "weight" in self._routing.policy:
            self.every(self._routing.report_seconds, self._report)
        columns = zip(work.at.tolist(), work.client.tolist(), work.audio.tolist(), work.lane.tolist(), strict=True)

        def arrive() -> None:
            at, client, audio, lane = following.pop()
            following.extend([arrival] if (arrival := next(columns, None)) else [])
            self._arriving = bool(following)
            if following:
                self.events.at(following[0][0], arrive)
            self._route(Request(at, str(client), audio, lane / audio, self._patience(audio), audio))

        following = [next(columns)]
        self.events.at(following[0][0], arrive)
        self.events.run()
        return self._outcomes

    def _patience(self, audio: float) -> float:
        machine = self.machine
        return machine.request_timeout + (audio / 2 if audio > machine.window_seconds else 0.0)

    def _route(self, request: Request) -> None:
        balancer = self._balancers[int(self._chance.integers(len(self._balancers)))]
        chosen = balancer.route(request.audio)
        self._on_their_way[request] = balancer, chosen
        self.replicas[chosen].offer(request)

    def _answered(self, request: Request, kind: str, done: float) -> None:
        balancer, chosen = self._on_their_way.pop(request)
        balancer.answered(chosen, request.audio)
        detail = "recording" if request.audio > self.machine.window_seconds else ""
        self._outcomes.append(Outcome(request.at, done - request.at, kind, detail))

    def _report(self) -> None:
        most = self.machine.max_queue_seconds
        weights = [max(0.0, 1 - replica.wait_of_all() / most) for replica in self.replicas]
        for balancer in self._balancers:
            balancer.weights[:] = weights
