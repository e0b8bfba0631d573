"""A model that vanishes under a running server: readiness off, tries that grow apart, and back by itself."""

import shutil

import pytest

from loadtest.harness.processes import wait_until
from tests.samples import CLIPS


@pytest.fixture
def model(tmp_path, model_directory):
    """A copy to damage."""
    return shutil.copytree(model_directory, tmp_path / "model")


@pytest.mark.measuring
@pytest.mark.parametrize("damage", ["removed", "cut short"])
def test_lanes_come_back_when_the_model_does(start, model, library_texts, damage):
    graph = model / "model.onnx"
    no_cache = model / "vocab.txt"  # no directory: lanes load the package's own graph
    with start(model=model, ASR_LANES=1, ASR_CACHE=no_cache) as server:
        with server.client() as client:
            warnings = client.get("/readyz").json()["warnings"]
        assert sum(str(no_cache) in warning for warning in warnings) == server.metric("asr_warnings") == 1
        graph.rename(model / "kept")
        if damage == "cut short":
            graph.write_bytes((model / "kept").read_bytes()[:10_000])
        (lane,) = server.lanes()
        lane.kill()
        failures = wait_until(lambda: _failures_apart(server), "several tries")
        assert not server.is_ready()
        with server.client() as client:
            assert client.get("/readyz").status_code == 503
            assert client.get("/healthz").status_code == 200
        assert failures == sorted(failures)
        assert server.metric("asr_lanes", state="down") == 1
        (model / "kept").replace(graph)
        server.wait_ready()
        assert server.post(CLIPS[0].read_bytes()).json()["text"] == library_texts[CLIPS[0]]


def _failures_apart(server):
    """How long each try waited for the next, once there are four."""
    failures = server.logged("lane does not start")
    assert all("model.onnx" in line["error"] for line in failures)
    return [line["retry_seconds"] for line in failures] if len(failures) >= 4 else None
