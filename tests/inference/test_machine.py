"""Processors by affinity and cgroup quota, and a plan that fits them."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference import machine as cpu
from inference.machine import plan, usable_cpus


@pytest.fixture(autouse=True)
def eight_processors(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert cpu.os is os


def test_no_quota(tmp_path):
    assert usable_cpus(tmp_path) == 8


def test_affinity_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    assert usable_cpus(tmp_path) == 1


@given(st.integers(1, 512), st.integers(1, 16))
def test_a_plan_uses_the_processors_and_no_more(cpus, lanes_per_worker):
    made = plan(cpus, lanes_per_worker)
    used = made.workers * made.lanes * made.threads
    assert used <= cpus
    assert used > cpus - made.workers
    assert 1 <= made.lanes <= lanes_per_worker
