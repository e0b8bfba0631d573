"""Servers for the end-to-end tests: one for all that only ask, others for those that break something."""

from contextlib import contextmanager
from pathlib import Path

import pytest

from config.log_schema import faults
from loadtest.harness.server import GENEROUS, GunicornServer, Reached

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("end_to_end")


@contextmanager
def running(model, directory, settings, reached=Reached()):  # noqa: B008 - frozen
    """A ready server, and nothing of it afterwards."""
    server = GunicornServer(model, directory, GENEROUS | settings, reached)
    try:
        server.wait_ready()
        yield server
        if server.process.poll() is None:
            server.stop()
        assert {fault: line for line in lines_of(server) for fault in faults(line)} == {}
    finally:
        server.kill_all()


def lines_of(server):
    """Log lines, but those that are for people."""
    return [line for line in server.log_lines() if isinstance(line, dict)]


@pytest.fixture(scope="session")
def server(model_directory, tmp_path_factory):
    """For tests that leave it as they found it."""
    settings = {"ASR_MAX_UPLOAD_MB": "2"}
    with running(model_directory, tmp_path_factory.mktemp("server"), settings) as server:
        yield server


@pytest.fixture
def start(model_directory, tmp_path):
    """`with start(ASR_LANES=1) as server:`, for tests that break something."""

    def start(model=model_directory, **settings):
        return running(model, tmp_path, {name: str(value) for name, value in settings.items()})

    return start
