"""What is looked at before there is a worker."""

import dataclasses

import pytest

from config.settings import Settings
from inference.errors import PackageError
from inference.package import load_package
from server.startup import served_packages


@pytest.mark.parametrize(("wanted", "decoding"), [("auto", "beam"), ("beam", "beam"), ("greedy", "greedy")])
def test_the_embedded_model_is_decoded_as_the_setting_says(wanted, decoding):
    assert served_packages(Settings(decoding=wanted)).packages["hi-demo"].decoding == decoding


def test_beam_search_without_a_language_model_ends_the_start(monkeypatch):
    package = dataclasses.replace(load_package(Settings().model), language_model=None)
    monkeypatch.setattr("server.startup.load_package", lambda _: package)
    assert served_packages(Settings()).packages["hi-demo"].decoding == "greedy"
    with pytest.raises(PackageError, match="python -m export language-model"):
        served_packages(Settings(decoding="beam"))
