"""The simulation beside what queueing theory knows. Chance is seeded: the same figures each time."""

import math
from dataclasses import replace
from statistics import mean

import numpy as np
import pytest

from loadtest.simulation.fleet import Fleet, Routing
from loadtest.simulation.machine import Machine
from loadtest.simulation.mix import Mix
from loadtest.simulation.work import Work, draw, strangers, tide

PATIENT = Machine("patient", 1, 0.0, 1.0, max_queue_seconds=math.inf, request_timeout=math.inf)
"""A lane second for a second of audio, and nobody is refused."""


def arrivals(rate, requests, seed=1):
    chance = np.random.default_rng(seed)
    return strangers(rate, requests / rate, chance), chance


def exponential(machine, load, requests):
    """Work whose lane seconds are exponential with a mean of 1."""
    at, chance = arrivals(load * machine.lanes, requests)
    return Work(at, np.ones(at.size), chance.exponential(1.0, at.size), np.zeros(at.size, np.int64))


def latencies(outcomes):
    return [outcome.seconds for outcome in outcomes]


def test_one_lane_with_clips_of_one_length_is_m_d_1():
    at, chance = arrivals(0.7, 12_000)
    outcomes = Fleet(PATIENT, 1).run(draw(PATIENT, Mix((1.0,), (1.0,)), at, chance))
    assert mean(latencies(outcomes)) == pytest.approx(1 + 0.7 / (2 * (1 - 0.7)), rel=0.05)


@pytest.mark.parametrize(("lanes", "load"), [(2, 0.6), (6, 0.8)])
def test_lanes_with_exponential_times_are_m_m_c(lanes, load):
    machine = PATIENT.with_lanes(lanes)
    work = exponential(machine, load, 12_000)
    outcomes = Fleet(machine, 1).run(work)
    offered = lanes * load  # Erlang's formula C
    waits = offered**lanes / math.factorial(lanes) / (1 - load)
    waits /= waits + sum(offered**number / math.factorial(number) for number in range(lanes))
    assert mean(latencies(outcomes)) == pytest.approx(1 + waits / (lanes * (1 - load)), rel=0.08)


@pytest.mark.measuring
def test_the_better_of_two_at_random_is_as_good_as_mitzenmacher_says():
    load, replicas = 0.8, 20
    work = exponential(PATIENT.with_lanes(replicas), load, 15_000)
    outcomes = Fleet(PATIENT, replicas, Routing("better of two at random")).run(work)
    # M. Mitzenmacher, The power of two choices in randomized load balancing, 1996; for ever more replicas.
    assert mean(latencies(outcomes)) == pytest.approx(sum(load ** (2**each - 2) for each in range(1, 12)), rel=0.12)
    random = Fleet(PATIENT, replicas, Routing("random")).run(work)
    assert mean(latencies(random)) > 2 * mean(latencies(outcomes))


@pytest.mark.parametrize("lanes", [1, 3])
def test_every_request_has_one_outcome_and_lanes_work_what_was_let_in(lanes):
    machine = replace(PATIENT, lanes=lanes, max_queue_seconds=5.0, request_timeout=8.0)
    work = exponential(machine, 1.5, 3000)
    fleet = Fleet(machine, 1)
    outcomes = fleet.run(work)
    assert sorted(outcome.due for outcome in outcomes) == work.at.tolist()
    kinds = {outcome.kind for outcome in outcomes}
    assert kinds <= {"good", "refused", "late"}
    assert {"good", "refused"} <= kinds
    end = max(outcome.done for outcome in outcomes)
    assert 0.9 < fleet.replicas[0].worked / (lanes * end) <= 1.0


def test_a_tide_has_the_arrivals_of_its_rate():
    at = tide(lambda now: 100.0 if now < 10 else 20.0, 30.0, np.random.default_rng(1))
    assert np.all(np.diff(at) >= 0)
    assert np.count_nonzero(at < 10) == pytest.approx(1000, rel=0.1)
    assert np.count_nonzero(at >= 10) == pytest.approx(400, rel=0.15)
