"""A real server and the simulated one beside each other: the same requests at the same times.

Each round starts a server, measures the machine, and then sends Poisson arrivals of mixed lengths by two clients, one
of whom asks four times as often, at each load. Simulated are they twice: with the lane seconds that the server itself
told of each clip of that very turn, which checks queue, admission and lanes; and with those drawn for the machine as it
was measured before, which adds whatever the machine's speed did meanwhile.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean
from typing import Any

import numpy as np
import uvloop

from loadtest.harness.client import Address, Client, Connecting
from loadtest.harness.clips import Clip
from loadtest.harness.load import open_loop, poisson_arrivals
from loadtest.harness.outcomes import Outcome, Summary, summarise
from loadtest.harness.statistics import Spread, ratios
from loadtest.harness.subject import Subject
from loadtest.simulation.fleet import Fleet
from loadtest.simulation.machine import Machine, Seconds
from loadtest.simulation.measure import LENGTHS, measure
from loadtest.simulation.work import Work

_SHARES = (0.8, 0.2)  # of all requests, for each client
_AGREES = 0.15


@dataclass(frozen=True, slots=True)
class Plan:
    """How to compare."""

    loads: Sequence[float]
    """Multiples of what the server can do."""
    rounds: int
    seconds: float
    """Of each turn."""
    queue_seconds: float
    """ASR_MAX_QUEUE_SECONDS, below the default so that a turn sees a full queue for most of its time."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What was measured at one load, and simulated with the lane seconds told, and with those drawn."""

    load: float
    measured: Summary
    told: Summary
    drawn: Summary


@dataclass(frozen=True, slots=True)
class Comparison:
    """Simulated ÷ measured over the rounds at one load."""

    load: float
    measured: Mapping[str, float]
    """Means, by name."""
    told: Mapping[str, Spread]
    drawn: Mapping[str, Spread]

    @property
    def agrees(self) -> bool:
        """Whether everything that was simulated with the lane seconds told is within 15 %."""
        return all(abs(ratio.median - 1) <= _AGREES for ratio in self.told.values())


def compare(subject: Subject, plan: Plan) -> list[Comparison]:
    """Measure and simulate; raise WrongText for a wrong text."""
    clips = subject.clips(LENGTHS)
    turns: list[Turn] = []
    settings: dict[str, Any] = {"ASR_WORKERS": 1, "ASR_THREADS": 1, "ASR_MAX_QUEUE_SECONDS": plan.queue_seconds}
    for number in range(plan.rounds):
        with subject.server(**settings) as server:
            machine = uvloop.run(measure(server.address, clips, plan.seconds / 2, subject.model.name))
            machine = replace(machine, max_queue_seconds=plan.queue_seconds)
            scene = _Scene(server.address, clips, machine, plan.seconds, number)
            turns += [_turn(scene, load) for load in plan.loads]
    return [_compared(load, [turn for turn in turns if turn.load == load]) for load in plan.loads]


@dataclass(frozen=True, slots=True)
class _Scene:
    address: Address
    clips: Sequence[Clip]
    machine: Machine
    seconds: float
    round: int


def _turn(scene: _Scene, load: float) -> Turn:
    machine, seconds = scene.machine, scene.seconds
    audio = np.array([clip.seconds for clip in scene.clips])
    rate = load * machine.rate(audio)
    arrivals = [
        poisson_arrivals(share * rate, seconds, 10 * scene.round + client) for client, share in enumerate(_SHARES)
    ]
    outcomes = uvloop.run(_send(scene.address, scene.clips, arrivals))
    work = _work(machine, arrivals, audio, outcomes)
    drawn = replace(work, lane=machine.lane_seconds(work.audio, np.random.default_rng(scene.round)))
    measured = summarise([outcome for one in outcomes for outcome in one], seconds).check()
    # Clips tell how long they took in whatever company they were.
    told = Fleet(replace(machine, crowding=1.0), 1).run(work)
    found = [summarise(each, seconds, float(work.at[0])) for each in (told, Fleet(machine, 1).run(drawn))]
    return Turn(load, measured, *found)


async def _send(address: Address, clips: Sequence[Clip], arrivals: Sequence[Sequence[float]]) -> list[list[Outcome]]:
    """Outcomes of each client's arrivals, in their order."""
    sources = [Client(address, how=Connecting(source=f"127.0.0.{2 + client}")) for client in range(len(arrivals))]
    try:
        return await asyncio.gather(
            *(open_loop(client, clips, times) for client, times in zip(sources, arrivals, strict=True))
        )
    finally:
        for client in sources:
            client.__exit__()


def _work(
    machine: Machine, arrivals: Sequence[Sequence[float]], audio: Seconds, outcomes: Sequence[Sequence[Outcome]]
) -> Work:
    """Tell the simulation what was sent, and how long lanes took; of what was refused, how fast they were just then."""
    at = np.concatenate([np.asarray(times) for times in arrivals])
    client = np.concatenate([np.full(len(times), number) for number, times in enumerate(arrivals)])
    seconds = np.concatenate([audio[np.arange(len(times)) % audio.size] for times in arrivals])
    lane = np.array([outcome.processing for one in outcomes for outcome in one])
    order = np.argsort(at, kind="stable")
    at, client, seconds, lane = at[order], client[order], seconds[order], lane[order]
    pace = lane / machine.mean_lane_seconds(seconds)
    known = pace > 0
    pace = np.interp(at, at[known], pace[known]) if known.any() else np.ones(at.size)
    return Work(at, seconds, pace * machine.mean_lane_seconds(seconds), client)


def _compared(load: float, turns: Sequence[Turn]) -> Comparison:
    def of(summaries: Sequence[Summary]) -> dict[str, list[float]]:
        return {
            "goodput": [summary.goodput for summary in summaries],
            "p50": [summary.p50 for summary in summaries],
            "p95": [summary.p95 for summary in summaries],
        }

    measured = of([turn.measured for turn in turns])
    told, drawn = of([turn.told for turn in turns]), of([turn.drawn for turn in turns])
    return Comparison(
        load,
        {name: mean(values) for name, values in measured.items()},
        {name: ratios(values, measured[name]) for name, values in told.items()},
        {name: ratios(values, measured[name]) for name, values in drawn.items()},
    )
