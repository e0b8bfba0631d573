"""Inputs that kill processes are kept out for a while."""

import pytest

from server.pool import quarantine as module
from server.pool.quarantine import Quarantine


@pytest.fixture
def clock(monkeypatch):
    """Time that the test moves."""
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_one_kill_is_forgiven_two_are_not():
    quarantine = Quarantine()
    quarantine.record_kill(b"poison")
    assert not quarantine.holds(b"poison")
    quarantine.record_kill(b"poison")
    assert quarantine.holds(b"poison")


def test_other_inputs_are_let_in():
    quarantine = Quarantine()
    for _ in range(2):
        quarantine.record_kill(b"poison")
    assert not quarantine.holds(b"food")


def test_a_success_clears_the_count():
    quarantine = Quarantine()
    quarantine.record_kill(b"unlucky")
    quarantine.record_success(b"unlucky")
    quarantine.record_kill(b"unlucky")
    assert not quarantine.holds(b"unlucky")


def test_it_ends(clock):
    quarantine = Quarantine()
    for _ in range(2):
        quarantine.record_kill(b"poison")
    clock[0] += 299
    assert quarantine.holds(b"poison")
    clock[0] += 2
    assert not quarantine.holds(b"poison")
    assert not quarantine._records
