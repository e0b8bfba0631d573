"""`deploy/compose.yaml`, by the real Compose: all of it read, the server brought up, and a Prometheus beside it."""

import contextlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
import yaml

from loadtest.harness.processes import wait_until
from tests.samples import CLIPS

pytestmark = [pytest.mark.image, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parent.parent.parent
COMPOSE = ROOT / "deploy" / "compose.yaml"
_PROJECT = "asr-compose-test"
_STAND_IN = "hindi-asr-test-prometheus"
_QUERY = "up{job='asr'}"


class Compose:
    """One project of Compose."""

    def __init__(self, engine):
        self.engine = engine

    def __call__(self, *arguments, check=True, variables=None, seconds=600):
        """Run a command of it; what it wrote."""
        command = [self.engine.program, "compose", "--file", COMPOSE, "--project-name", _PROJECT, *arguments]
        environment = (
            os.environ | {"SERVER_PUBLISH": "127.0.0.1:0", "PROMETHEUS_PUBLISH": "127.0.0.1:0"} | (variables or {})
        )
        done = subprocess.run(command, capture_output=True, env=environment, timeout=seconds, check=False)
        assert not check or done.returncode == 0, done.stderr.decode()
        return (done.stdout if check else done.stderr).decode()


@pytest.fixture(scope="module")
def compose(engine):
    found = subprocess.run([engine.program, "compose", "version"], capture_output=True, check=False)
    if found.returncode:
        pytest.skip(f"{engine.program} has no Compose")
    return Compose(engine)


@pytest.fixture(scope="module")
def prometheus_image(engine, base, tmp_path_factory):
    """Debian's program on our base, where the real image cannot be had; its name."""
    program = shutil.which("prometheus")
    if not program:
        pytest.skip("no Prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    shutil.copy(program, folder / "prometheus")
    (folder / "Dockerfile").write_text(f'FROM {base}\nCOPY prometheus /bin/\nENTRYPOINT ["/bin/prometheus"]\n')
    engine("build", "--tag", _STAND_IN, folder)
    return _STAND_IN


@pytest.fixture(scope="module")
def up(compose, image):
    """The server as Compose runs it, its address."""
    assert image == yaml.safe_load(COMPOSE.read_text())["services"]["asr"]["image"].partition(":-")[2].rstrip("}")
    try:
        compose("up", "--detach", "--no-build", "--wait", "asr")
        yield "http://" + compose("port", "asr", "8000").strip()
    finally:
        compose("down", "--volumes", "--timeout", "60")


def test_the_whole_file_is_understood(compose):
    compose("config", "--quiet")
    services = json.loads(compose("config", "--format", "json"))["services"]
    mounted = [volume["source"] for service in services.values() for volume in service.get("volumes", ())]
    assert [path for path in mounted if path.startswith("/") and not Path(path).exists()] == []


def test_the_server_lets_in_whoever_has_a_key(compose, up, library_texts):
    with httpx.Client(base_url=up, timeout=120) as client:
        assert client.post("/transcribe", content=CLIPS[0].read_bytes()).status_code == 401
        create = ("python", "-m", "server.keys", "--file", "/state/keys.json", "create", "--name", "anna")
        key = compose("exec", "--no-TTY", "asr", *create).strip()
        headers = {"X-API-Key": key}

        def heard():
            return client.post("/transcribe", content=CLIPS[0].read_bytes(), headers=headers)

        wait_until(lambda: heard().status_code == 200, "the key is known", 60)
        assert heard().json()["text"] == library_texts[CLIPS[0]]
        assert client.get("/metrics", headers=headers).status_code == 404
        assert client.get("/readyz").json() == {"status": "ready", "warnings": []}
    assert "graph-" in compose("exec", "--no-TTY", "asr", "ls", "/state/cache")


@pytest.mark.usefixtures("up")
def test_prometheus_finds_it_and_knows_the_rules(compose, prometheus_image):
    variables = {"PROMETHEUS_IMAGE": prometheus_image}
    compose("up", "--detach", "--no-build", "--no-deps", "prometheus", variables=variables)
    with httpx.Client(base_url="http://" + compose("port", "prometheus", "9090").strip(), timeout=30) as client:

        def asked(path, **parameters):
            with contextlib.suppress(httpx.HTTPError):  # until it has started
                return client.get(path, params=parameters).raise_for_status().json()["data"]
            return {}

        def is_up():
            found = asked("/api/v1/query", query=_QUERY).get("result", ())
            return [sample["value"][1] for sample in found] == ["1"]

        wait_until(is_up, "the server is scraped", 120)
        assert asked("/api/v1/query", query="asr_lanes{job='asr',state='ready'}")["result"]

        def healthy():
            groups = asked("/api/v1/rules").get("groups", ())
            return groups and {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}

        wait_until(healthy, "all rules are evaluated", 120)
