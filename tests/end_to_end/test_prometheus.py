"""A real Prometheus scrapes a real server."""

import json
import socket
import subprocess

import httpx
import pytest
import soundfile

from loadtest.harness.processes import wait_until
from tests.samples import CLIPS

pytestmark = pytest.mark.programs("prometheus")


@pytest.fixture
def prometheus(server, tmp_path):
    """Its address, once it answers."""
    configuration = {
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [{"job_name": "asr", "static_configs": [{"targets": [f"127.0.0.1:{server.port}"]}]}],
    }
    path = tmp_path / "prometheus.yml"
    path.write_text(json.dumps(configuration))  # JSON is YAML
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = ["prometheus", f"--config.file={path}", f"--storage.tsdb.path={tmp_path / 'tsdb'}"]
    with (tmp_path / "prometheus.log").open("w") as log:
        process = subprocess.Popen([*command, f"--web.listen-address={address}"], stdout=log, stderr=log)
    yield f"http://{address}"
    process.terminate()
    process.wait()


def test_the_target_is_up_and_its_series_can_be_asked_for(server, prometheus):
    for path in CLIPS:
        assert server.post(path.read_bytes()).status_code == 200

    def ask(query):
        try:
            reply = httpx.get(f"{prometheus}/api/v1/query", params={"query": query}, timeout=60)
        except httpx.TransportError:
            return None
        result = reply.json()["data"]["result"] if reply.status_code == 200 else None
        return float(result[0]["value"][1]) if result else None

    assert wait_until(lambda: ask('up{job="asr"}'), "the target up") == 1
    spoken = sum(soundfile.info(path).duration for path in CLIPS)
    wait_until(lambda: (ask("sum(asr_audio_seconds_total)") or 0) > spoken - 0.01, "audio counted")
    assert ask('asr_lanes{state="ready"}') == 2
    assert ask('sum(asr_stage_seconds_count{stage="inference"})') >= len(CLIPS)
