"""The search for the highest rate, on servers that exist on paper alone."""

import asyncio
import math

import pytest

from loadtest.capacity import _report, bisect
from loadtest.harness.load import poisson_arrivals


def search(limit, first, target=2.0, steepness=10.0):
    """A server that answers in no time up to `limit` clips a second, and ever later beyond it."""

    async def measure(rate):
        return 0.2 if rate <= limit else target + steepness * (rate - limit)

    trials = asyncio.run(bisect(measure, target, first))
    return max((rate for rate, p95 in trials if p95 <= target), default=0.0), trials


@pytest.mark.parametrize("limit", [0.5, 7.3, 100.0])
@pytest.mark.parametrize("first", [1.0, 20.0])
def test_it_finds_the_limit(limit, first):
    found, trials = search(limit, first)
    assert limit / 1.06 <= found <= limit
    assert len(trials) < 20


def test_a_server_that_is_never_fast_enough_ends_the_search():
    found, trials = search(limit=0.0, first=10.0)
    assert found == 0.0
    assert len(trials) < 12


def test_a_server_without_limit_ends_the_search_too():
    found, trials = search(limit=math.inf, first=10.0)
    assert found > 500
    assert len(trials) < 12


def test_the_report_says_it_in_three_ways():
    text = _report(4.0, 2.0)
    assert "20 streams" in text
    assert "20.0 audio seconds per second" in text
    assert "240 requests per minute" in text


def test_arrivals_are_the_same_for_the_same_seed():
    arrivals = poisson_arrivals(50.0, 10.0, seed=1)
    assert arrivals == poisson_arrivals(50.0, 10.0, seed=1)
    assert arrivals == sorted(arrivals)
    assert 350 < len(arrivals) < 650
    assert arrivals[-1] < 10.0
