"""What a sudden rush comes to while an autoscaler does what it can."""

import math
from dataclasses import dataclass

import numpy as np

from loadtest.simulation.fleet import Fleet, Routing
from loadtest.simulation.machine import Machine
from loadtest.simulation.mix import CLIPS
from loadtest.simulation.scaling import Autoscaler, Scaling, replica_seconds
from loadtest.simulation.work import draw, tide


@dataclass(frozen=True, slots=True)
class Rush:
    """What a sudden rush came to under one autoscaler."""

    refused: float
    """Share of the rush's requests."""
    seconds: float
    """From the beginning of the rush until all requests were let in again."""
    replicas: int
    """At most."""
    paid: float
    """Replica seconds ÷ those that the work took."""


def rush(machine: Machine, scaling: Scaling, replicas: int, times: float, quiet: float = 240.0) -> Rush:
    """Let the load of so many replicas at 60 % become `times` as much.

    That lasts three times as long as it is `quiet` before and after, in seconds.
    """
    loud = 3 * quiet
    usual = 0.6 * replicas * CLIPS.rate(machine)
    chance = np.random.default_rng(1)
    end = 2 * quiet + loud
    at = tide(lambda now: usual * (times if quiet <= now < quiet + loud else 1.0), end, chance)
    work = draw(machine, CLIPS, at, chance)
    fleet = Fleet(machine, 5 * math.ceil(replicas * times), Routing("least seconds queued"), ready=replicas)
    scaler = Autoscaler(fleet, scaling)
    outcomes = fleet.run(work)
    refused = [outcome.due for outcome in outcomes if outcome.kind != "good"]
    during = int(np.count_nonzero((at >= quiet) & (at < quiet + loud)))
    return Rush(
        refused=len(refused) / during,
        seconds=max(refused, default=quiet) - quiet,
        replicas=max(number for _, number in scaler.history),
        paid=replica_seconds(scaler.history, end) * machine.lanes / float(work.lane.sum()),
    )
