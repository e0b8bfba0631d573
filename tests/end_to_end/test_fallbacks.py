"""A lane that computes otherwise than was asked for says so: in the log, in the metrics and in readiness."""

import httpx
import pytest


@pytest.fixture
def no_directory(tmp_path):
    """In place of the cache, which therefore cannot be written by anybody, not even by root."""
    path = tmp_path / "file"
    path.touch()
    return path


def test_a_cache_that_cannot_be_written(start, no_directory):
    with start(ASR_CACHE=no_directory, ASR_LANES=1) as server:
        readiness = httpx.get(f"{server.url}/readyz")
        assert readiness.status_code == 200
        (warning,) = readiness.json()["warnings"]
        assert str(no_directory) in warning
        assert server.metric("asr_warnings", model="hi-demo") == 1
        logged = [line for line in server.log_lines() if line["level"] == "WARNING"]
        assert any(warning in str(line) for line in logged)
