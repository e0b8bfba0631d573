"""Settings first, then the tuned profile, then the computed plan."""

import dataclasses
import shutil

import pytest

from config.profile import Profile, write_profile
from config.settings import Settings
from inference.control_groups import Limit
from inference.loading import choose_plan
from inference.machine import Plan
from inference.package import load_package
from server import startup as module
from server.startup import machine_note, profile_note, resolve_plan


@pytest.fixture
def settings(model_directory, tmp_path, monkeypatch):
    """Settings on a machine of six processors, with a place for a profile."""
    monkeypatch.setattr(module, "usable_cpus", lambda: 6)
    monkeypatch.setattr(module, "usable_memory", lambda: Limit(16 * 2**30))

    def settings(**changes):
        return Settings(model=model_directory, profile=tmp_path / "tuned.yaml", **changes)

    return settings


@pytest.fixture
def tuned(settings, model_directory):
    """Write a profile; what is not said fits."""

    def tuned(**changes):
        package = load_package(model_directory)
        graph = package.fingerprint(choose_plan(package, "auto"))
        found = {"graph": graph, "cpus": 6, "lanes": 3, "threads": 2, "spinning": True} | changes
        write_profile(Profile(**found), settings().profile)

    return tuned


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Plan(1, 6, 1)),
        ({"threads": 2}, Plan(1, 3, 2)),
        ({"workers": 2}, Plan(2, 3, 1)),
        ({"lanes": 1}, Plan(1, 1, 1)),
        ({"workers": 2, "lanes": 2, "threads": 4, "spinning": True}, Plan(2, 2, 4, spinning=True)),
        ({"threads": 100}, Plan(1, 1, 100)),
    ],
)
def test_settings_and_computation(settings, given, expected):
    assert resolve_plan(settings(**given)) == expected
    assert profile_note(settings(**given)) == ""


@pytest.fixture
def one_gibibyte(settings, monkeypatch):  # noqa: ARG001 - after it
    """On 64 processors."""
    monkeypatch.setattr(module, "usable_cpus", lambda: 64)
    monkeypatch.setattr(module, "usable_processors", lambda: Limit(64))
    monkeypatch.setattr(module, "usable_memory", lambda: Limit(2**30, "/asr.service"))


@pytest.mark.usefixtures("one_gibibyte")
def test_no_more_lanes_than_memory_has_room_for(settings):
    made = resolve_plan(settings())
    assert made.workers == 1
    assert 4 <= made.lanes <= 8
    assert resolve_plan(settings(clip_seconds=30)).lanes < made.lanes
    assert resolve_plan(settings(workers=2)).lanes == made.lanes // 2
    assert resolve_plan(settings(lanes=20)).lanes == 20


@pytest.mark.usefixtures("one_gibibyte")
def test_memory_and_processors_are_told(settings):
    note = machine_note(settings())
    assert note.startswith("64 processors; 1024 MiB of memory by control group /asr.service, room for ")
    assert f"room for {resolve_plan(settings()).lanes} lanes" in note


@pytest.mark.usefixtures("one_gibibyte")
def test_packages_beside_the_default_one_take_room(settings, model_directory, tmp_path):
    for name in "ab":
        shutil.copytree(model_directory, tmp_path / "models" / name)
    alone = resolve_plan(settings(models=tmp_path / "none")).lanes
    assert resolve_plan(settings(models=tmp_path / "models")).lanes < alone
    assert resolve_plan(settings(models=tmp_path / "models", models_loaded=1)).lanes == alone


@pytest.mark.usefixtures("one_gibibyte")
def test_a_profile_of_more_lanes_than_there_is_room_for(settings, tuned):
    without = resolve_plan(settings())
    tuned(cpus=64, lanes=64, threads=2)
    assert resolve_plan(settings()) == dataclasses.replace(without, threads=2, spinning=True)


def test_a_fitting_profile_is_used(settings, tuned):
    tuned()
    assert resolve_plan(settings()) == Plan(1, 3, 2, spinning=True)
    assert "is used" in profile_note(settings())


def test_settings_go_before_the_profile(settings, tuned):
    tuned()
    assert resolve_plan(settings(lanes=1, spinning=False)) == Plan(1, 1, 1, spinning=False)


@pytest.mark.parametrize(
    ("changes", "reason"), [({"graph": "0" * 64}, "another model"), ({"cpus": 2}, "2 processors, here are 6")]
)
def test_a_profile_of_something_else_is_ignored(settings, tuned, changes, reason):
    tuned(**changes)
    assert resolve_plan(settings()) == Plan(1, 6, 1)
    assert reason in profile_note(settings())


@pytest.mark.parametrize("content", ["lanes: [", "lanes: 2", "- a", "\0"])
def test_a_damaged_profile_is_ignored(settings, content):
    settings().profile.write_text(content)
    assert resolve_plan(settings()) == Plan(1, 6, 1)
    assert "tuned.yaml" in profile_note(settings())
