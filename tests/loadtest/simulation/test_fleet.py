"""Balancers, autoscalers, and what is asked of them."""

import math

import numpy as np
import pytest

from loadtest.__main__ import main
from loadtest.simulation.balancers import POLICIES, Balancer
from loadtest.simulation.balancing import highest
from loadtest.simulation.fleet import Fleet, Routing
from loadtest.simulation.machine import REFERENCE, UnknownMachine, read_machine
from loadtest.simulation.mix import CLIPS
from loadtest.simulation.rush import rush
from loadtest.simulation.scaling import Autoscaler, Scaling, replica_seconds
from loadtest.simulation.situation import Situation, at_load
from loadtest.simulation.sizing import sizes
from loadtest.simulation.work import draw, strangers

SMALL = REFERENCE.with_lanes(2)


@pytest.mark.parametrize("policy", POLICIES)
def test_what_is_not_ready_gets_nothing(policy):
    balancer = Balancer(5, 2, POLICIES[policy], np.random.default_rng(1))
    balancer.serve([1, 3])
    chosen = [balancer.route(5.0) for _ in range(40)]
    assert set(chosen) == {1, 3}
    for replica in chosen:
        balancer.answered(replica, 5.0)
    assert not balancer.connections.any()
    assert not balancer.seconds.any()


def test_round_robin_takes_turns_and_least_connections_fills_the_emptiest():
    def choices(policy):
        balancer = Balancer(3, 2, POLICIES[policy], np.random.default_rng(1))
        balancer.connections[:] = [2, 0, 1]
        return [balancer.route(5.0) for _ in range(6)]

    assert choices("round robin") == [1, 2, 0] * 2
    assert choices("least connections")[:3] == [1, 2, 1]


def test_one_slow_replica_is_ruin_for_those_who_do_not_look():
    situation = Situation(SMALL, 4, speeds=(0.5,))
    blind, seeing = (at_load(situation, policy, 0.85, 4000) for policy in ("round robin", "least seconds queued"))
    assert seeing.good
    assert seeing.p99 < blind.p99 / 4


def test_weights_alone_send_everybody_to_the_same_replica():
    situation = Situation(SMALL, 8)
    told, counted = (at_load(situation, by, 0.7, 4000) for by in ("highest weight", "least connections"))
    assert told.p99 > 5 * counted.p99


def test_the_same_seed_is_the_same_run():
    situation = Situation(SMALL, 4, balancers=2)
    assert at_load(situation, "random", 0.8, 2000) == at_load(situation, "random", 0.8, 2000)


def test_the_highest_that_passes_is_found():
    assert highest(lambda number: number < 0.618) == pytest.approx(0.618, abs=0.02)
    assert highest(lambda _: False) == 0.0


def test_a_study_is_written_into_a_page(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("Before.\n\n<!-- scale: begin -->\nold\n<!-- scale: end -->\n\nAfter.\n", encoding="utf-8")
    arguments = ["simulate", "scale", "--hours", "100", "--requests", "300", "--vcpu-hour", "0.1"]
    assert main([*arguments, "--page", str(page)]) == 0
    table = capsys.readouterr().out.strip()
    assert "| 100 | 2 | 1 | 3 | 2 | 0.5760 | 0." in table
    assert page.read_text(encoding="utf-8") == (
        f"Before.\n\n<!-- scale: begin -->\n\n{table}\n\n<!-- scale: end -->\n\nAfter.\n"
    )


def test_a_machine_that_was_not_measured_is_named(tmp_path, capsys):
    assert main(["simulate", "scale", "--machine", str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err


@pytest.mark.measuring
def test_prices_and_replicas_grow_with_the_audio():
    small, large = sizes(SMALL, (300.0, 9000.0), 0.05, 3000)
    assert (small.needed, small.replicas) == (1, 3)
    assert large.replicas == math.ceil(1.2 * large.needed) + 1 > 7
    assert small.megabits == pytest.approx(2 * 300 * 3600 / 86400 * 0.256)
    assert large.fixed_price == pytest.approx(24 * large.replicas * 2 * 0.05 / 9000)
    assert large.scaled_price < large.fixed_price


def test_an_autoscaler_follows_a_rush_and_comes_back():
    found = rush(SMALL, Scaling({"demand": 0.6}, start_seconds=30.0), 2, 2.0, quiet=60.0)
    assert 4 <= found.replicas <= 6
    assert found.refused < 0.02
    assert found.seconds < 120
    assert 1.2 < found.paid < 2.5


def test_whoever_looks_at_nothing_keeps_what_there_is():
    chance = np.random.default_rng(1)
    fleet = Fleet(SMALL, 8, ready=3)
    scaler = Autoscaler(fleet, Scaling({"busy": 0.4}, 30.0))
    at = strangers(3 * 0.4 * CLIPS.rate(SMALL), 200.0, chance)
    fleet.run(draw(SMALL, CLIPS, at, chance))
    assert scaler.history == [(0.0, 3)]
    assert replica_seconds([(0.0, 3), (10.0, 5)], 20.0) == 80.0


def test_an_unknown_policy_is_no_policy():
    with pytest.raises(KeyError):
        Fleet(SMALL, 2, Routing("fastest"))


def test_a_machine_survives_its_file(tmp_path):
    SMALL.write(tmp_path / "machine.json")
    assert read_machine(tmp_path / "machine.json") == SMALL
    for text in ("[]", "{", '{"lanes": 2}'):
        (tmp_path / "machine.json").write_text(text, encoding="utf-8")
        with pytest.raises(UnknownMachine, match="capacity writes it"):
            read_machine(tmp_path / "machine.json")
