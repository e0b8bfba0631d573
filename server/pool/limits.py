"""What the pool takes on: the wait that is predicted, and what is too much of it.

Pure, so that a simulation of servers refuses by the same rule (`loadtest/simulation/`).
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """See the settings of the same names."""

    max_queue_seconds: float
    request_timeout: float

    def refusal(self, wait: float, wait_of_all: float, cost: float, patience: float) -> tuple[float, str] | None:
        """Say by how many seconds a request is too much, and why; None where it may come in.

        It would wait for `wait` seconds and take `cost` more, its client waits for `patience`; all that is queued
        would be running in `wait_of_all`.
        """
        excesses = (wait - self.max_queue_seconds, wait + cost - patience, wait_of_all - self.request_timeout)
        excess = max(excesses)
        if excess <= 0:
            return None
        reasons = (
            f"{wait:.1f} s of work stand before this request",
            f"it would take {wait + cost:.1f} s, and its deadline is {patience:.3g} s away",
            f"{wait_of_all:.1f} s of work wait, more than can be done",
        )
        return excess, reasons[excesses.index(excess)]


def predicted_wait(queued_seconds: float, left: Sequence[float], lanes: int, until_one_works: float = 0.0) -> float:
    """Seconds until a lane is free for what comes behind `queued_seconds` of work.

    `left` are the lane seconds that each entry still takes which a lane has in hand. Lanes that are all down work again
    in `until_one_works`.
    """
    if not queued_seconds and len(left) < lanes:
        return 0.0
    return until_one_works + (queued_seconds + sum(left)) / max(1, lanes)
