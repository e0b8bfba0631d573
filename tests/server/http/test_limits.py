"""Bytes of all bodies together, and how they are shared."""

import pytest

from server.errors import Overloaded
from server.http.limits import BytesInFlight


@pytest.fixture
def in_flight():
    return BytesInFlight(100)


def refused(in_flight, principal, size):
    with pytest.raises(Overloaded, match="ASR_MAX_INFLIGHT_MB"):
        in_flight.take(principal, size)
    return True


def test_no_more_than_all(in_flight):
    in_flight.take("a", 60)
    assert refused(in_flight, "b", 41)
    in_flight.take("b", 40)
    assert in_flight.total == 100
    assert refused(in_flight, "c", 1)


def test_one_client_alone_gets_half(in_flight):
    for _ in range(5):
        in_flight.take("a", 10)
    assert refused(in_flight, "a", 10)
    in_flight.take("b", 25)
    assert refused(in_flight, "b", 1)
    in_flight.take("c", 12)


def test_one_body_may_be_larger_than_half(in_flight):
    in_flight.take("a", 100)


def test_what_is_given_back_is_there_again_and_nobody_is_remembered(in_flight):
    for number in range(1000):
        in_flight.take(str(number), 100)
        assert refused(in_flight, "another", 1)
        in_flight.give_back(str(number), 100)
    assert in_flight.total == 0
    assert not in_flight._of
