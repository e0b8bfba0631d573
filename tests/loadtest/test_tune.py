"""The profile that tune writes is the one that the server picks up."""

from dataclasses import replace

import pytest

from config.profile import InvalidProfile, Profile, read_profile, write_profile
from config.settings import Settings
from inference.loading import choose_plan
from inference.machine import usable_cpus
from inference.package import load_package
from loadtest.__main__ import main
from loadtest.tune import Division, Measured, choose
from server.startup import profile_note, resolve_plan


@pytest.fixture
def profile(model_directory):
    """One that fits this machine and this model, and that nobody would compute."""
    package = load_package(model_directory)
    graph = package.fingerprint(choose_plan(package, "auto"))
    return Profile(graph, usable_cpus(), lanes=3, threads=2, spinning=True)


@pytest.fixture
def settings(model_directory, tmp_path):
    return Settings(model=model_directory, profile=tmp_path / "tuned.yaml")


@pytest.mark.measuring
def test_a_tiny_run_writes_a_profile_that_the_server_uses(settings, model_directory, tmp_path):
    arguments = ["tune", "--model", str(model_directory), "--seconds", "0.1", "--rounds", "1"]
    arguments += ["--out", str(settings.profile), "--plot", str(tmp_path / "tuned.png")]
    assert main(arguments) == 0
    found = read_profile(settings.profile)
    plan = resolve_plan(settings)
    assert (plan.workers * plan.lanes, plan.threads, plan.spinning) == (found.lanes, found.threads, found.spinning)
    assert (tmp_path / "tuned.png").stat().st_size < 150_000


def test_the_server_takes_the_division_from_the_profile(settings, profile):
    write_profile(profile, settings.profile)
    plan = resolve_plan(settings)
    assert (plan.lanes, plan.threads, plan.spinning) == (3, 2, True)
    assert "is used" in profile_note(settings)


@pytest.mark.parametrize("change", [{"graph": "0" * 64}, {"cpus": 4096}])
def test_a_profile_of_another_machine_or_model_is_ignored(settings, profile, change):
    computed = resolve_plan(settings)
    write_profile(replace(profile, **change), settings.profile)
    assert resolve_plan(settings) == computed
    assert "ignored" in profile_note(settings)


@pytest.mark.parametrize("given", [{"lanes": 1}, {"threads": 1}, {"workers": 1}])
def test_a_division_that_was_set_wins(settings, profile, given):
    chosen = settings.model_copy(update=given)
    without = resolve_plan(chosen)
    write_profile(profile, settings.profile)
    assert resolve_plan(chosen) == replace(without, spinning=True)


def test_spinning_that_was_set_wins(settings, profile):
    write_profile(profile, settings.profile)
    plan = resolve_plan(settings.model_copy(update={"spinning": False}))
    assert (plan.lanes, plan.spinning) == (3, False)


@pytest.mark.parametrize("content", ["[1]", "lanes: 2", "{", "graph: a\ncpus: 2\nlanes: 0\nthreads: 1\nspinning: no"])
def test_a_damaged_profile_is_ignored(settings, content):
    settings.profile.write_text(content, encoding="utf-8")
    with pytest.raises(InvalidProfile):
        read_profile(settings.profile)
    assert resolve_plan(settings).lanes >= 1
    assert "ignored" in profile_note(settings)


def test_no_profile_no_word(settings):
    assert profile_note(settings) == ""


@pytest.mark.parametrize("cpus", [1, 2, 3, 8])
def test_no_division_asks_for_more_than_there_is(cpus):
    found = Division.all(cpus)
    assert all(division.lanes * division.threads <= cpus for division in found)
    assert Division(cpus, 1, spinning=False) in found


def test_among_equals_the_quickest_is_chosen():
    results = {
        Division(2, 1, spinning=False): Measured([100.0], [0.2]),
        Division(1, 2, spinning=False): Measured([98.0], [0.1]),
        Division(1, 2, spinning=True): Measured([80.0], [0.05]),
    }
    assert choose(results, "throughput") == Division(1, 2, spinning=False)
    assert choose(results, "latency") == Division(1, 2, spinning=True)
