"""Settings first, then the tuned profile, then the computed plan."""

import pytest

from config.profile import Profile, write_profile
from config.settings import Settings
from inference.loading import choose_plan
from inference.machine import Plan
from inference.package import load_package
from server import startup as module
from server.startup import profile_note, resolve_plan


@pytest.fixture
def settings(model_directory, tmp_path, monkeypatch):
    """Settings on a machine of six processors, with a place for a profile."""
    monkeypatch.setattr(module, "usable_cpus", lambda: 6)

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
