"""A simulated server refuses, shares and hears recordings as the real one does."""

from dataclasses import replace

import numpy as np
import pytest

from loadtest.harness.outcomes import summarise
from loadtest.simulation.fleet import Fleet
from loadtest.simulation.machine import Machine
from loadtest.simulation.work import Work

MACHINE = Machine("plain", 2, 0.0, 0.1, max_queue_seconds=3.0, request_timeout=30.0)
"""A clip of 10 s takes a lane second."""


def work(at, audio=10.0, client=0, machine=MACHINE):
    at = np.asarray(at, np.float64)
    audio = np.broadcast_to(np.asarray(audio, np.float64), at.shape)
    client = np.broadcast_to(np.asarray(client, np.int64), at.shape)
    return Work(at, audio, machine.mean_lane_seconds(audio), client)


def test_a_lone_clip_takes_its_lane_seconds_and_what_lies_around():
    machine = replace(MACHINE, around=0.25, between=0.5, crowding=2.0)
    (outcome,) = Fleet(machine, 1).run(work([7.0]))
    assert outcome.due == 7.0
    assert outcome.seconds == pytest.approx(1.0 / 2 + 0.25)  # half as long as in a crowd


def test_what_would_wait_too_long_is_refused():
    outcomes = Fleet(MACHINE, 1).run(work([0.0] * 20))
    good = sorted(outcome.seconds for outcome in outcomes if outcome.kind == "good")
    # Two are at work, five wait: before the next there would be 3.5 seconds.
    assert good == pytest.approx([1, 1, 2, 2, 3, 3, 4])
    assert summarise(outcomes, 1.0).kinds["refused"] == 13


def test_what_would_miss_its_deadline_is_refused_and_what_does_is_late():
    hasty = replace(MACHINE, request_timeout=1.5)
    assert {outcome.kind for outcome in Fleet(hasty, 1).run(work([0.0] * 3))} == {"good", "refused"}
    usual = work(np.arange(0.0, 100.0, 10.0))
    surprising = replace(usual, lane=usual.lane * [*[1.0] * 9, 9.0])
    fleet = Fleet(replace(hasty, request_timeout=4.0), 1)
    *others, last = fleet.run(surprising)
    assert {outcome.kind for outcome in others} == {"good"}
    assert (last.kind, last.seconds) == ("late", pytest.approx(4.0))
    assert fleet.replicas[0].worked == pytest.approx(9 * 1.0 + 4.0)  # its lane stops at the deadline


def test_a_client_that_floods_delays_itself_alone():
    flood, few = np.linspace(0, 20, 200), np.arange(0.5, 20, 1.0)
    at = np.concatenate([flood, few])
    order = np.argsort(at)
    who = np.concatenate([np.zeros(flood.size, int), np.ones(few.size, int)])[order]
    outcomes = Fleet(MACHINE, 1).run(work(at[order], client=who))
    of_few = [outcome for outcome in outcomes if outcome.due in few]
    assert {outcome.kind for outcome in of_few} == {"good"}
    assert max(outcome.seconds for outcome in of_few) < 2.2  # its own second, and the rest of somebody else's
    assert summarise([outcome for outcome in outcomes if outcome.due in flood], 20.0).kinds["refused"] > 100


def test_a_recording_is_heard_on_all_lanes_and_lets_clips_in_between():
    clip_at = 5.0
    outcomes = Fleet(MACHINE, 1).run(work([0.0, clip_at], [600.0, 10.0], [0, 1]))
    clip, recording = sorted(outcomes, key=lambda outcome: outcome.detail)
    assert (recording.detail, recording.kind) == ("recording", "good")
    assert recording.seconds == pytest.approx((60.0 + 1.0) / 2, abs=1.0)
    assert clip.seconds <= 1.5 + 1.0  # a window at most before it, though 38 still wait


def test_capacity_is_what_lanes_can_do():
    rate = MACHINE.rate(np.array([10.0]))
    outcomes = Fleet(MACHINE, 1).run(work(np.arange(0, 50, 0.8 / rate)))
    assert summarise(outcomes, 50.0).goodput == pytest.approx(rate, rel=0.05)
