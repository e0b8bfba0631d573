"""Fixtures that every folder of tests uses."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from inference.loading import load
from inference.package import load_package
from tests.samples import CLIPS, expected_texts

_EMBEDDED_MODEL = Path(__file__).parent.parent / "models" / "hi-demo"


# A slow machine is no fault of the code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# Their imports alone fail without requirements/export.txt.
collect_ignore = [] if find_spec("nemo") else ["parity"]

# A developer's own settings are not the tests'.
for _name in [name for name in os.environ if name.upper().startswith(("ASR_", "OTEL_")) and name != "ASR_TEST_MODEL"]:
    del os.environ[_name]


def pytest_runtest_setup(item):
    """Skip what needs a program that is not installed: Python and make are enough to run all tests."""
    missing = [name for mark in item.iter_markers("programs") for name in mark.args if not shutil.which(name)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


@pytest.fixture(scope="session")
def model_directory():
    """The embedded model; `ASR_TEST_MODEL` names another, whose texts need not be right."""
    return Path(os.environ.get("ASR_TEST_MODEL", _EMBEDDED_MODEL))


@pytest.fixture(scope="session")
def pipeline(model_directory):
    """The library's own recogniser, in this process, as lanes load it: what a server's answers are compared with."""
    return load(load_package(model_directory))


@pytest.fixture(scope="session")
def library_texts(pipeline):
    """Sample clip → the text that the library gives."""
    return {path: pipeline.transcribe(path.read_bytes()).text for path in CLIPS}


@pytest.fixture(scope="session")
def spoken_texts():
    """Sample clip → what was said, which the embedded model must hear."""
    if "ASR_TEST_MODEL" in os.environ:
        pytest.skip("ASR_TEST_MODEL names a model whose texts need not be right")
    return expected_texts()
