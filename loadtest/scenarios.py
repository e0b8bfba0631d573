"""What comes when: the rate of arrivals over time, in multiples of what the server can do."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of weather."""

    rate: Callable[[float], float]
    """Seconds since the start → audio arriving, as a multiple of capacity."""
    slow_clients: int = 0
    """Clients that feed their uploads by drops, beside the others."""


def _steady(multiple: float) -> Callable[[float], float]:
    return lambda _time: multiple


def _bursts(time: float) -> float:
    """Three seconds at four times capacity in every twenty, quiet between them."""
    return 4.0 if time % 20 >= 17 else 0.3


SCENARIOS = {
    "steady": Scenario(_steady(0.7)),
    "burst": Scenario(_bursts),
    "overload": Scenario(_steady(5.0)),
    "slow-clients": Scenario(_steady(0.5), slow_clients=20),
    "mixed-lengths": Scenario(_steady(0.6)),
    "chaos": Scenario(_steady(0.4)),  # half of two lanes is one lane: less than that, or the queue grows for ever
}
