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
from tests.image.conftest import PATIENCE
from tests.samples import CLIPS

pytestmark = [pytest.mark.image, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parent.parent.parent
COMPOSE = ROOT / "deploy" / "compose.yaml"
_PROJECT = f"asr-compose-test-{os.getpid()}"
_QUERY = "up{job='asr'}"


_COLLECTOR = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        spans = self.rfile.read(int(self.headers["Content-Length"]))
        print(self.path, b"hindi-asr" in spans, b"inference" in spans, flush=True)
        self.send_response(200)
        self.end_headers()
HTTPServer(("", 4318), Handler).serve_forever()
"""


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
def stand_in(engine, tmp_path_factory):
    """An image in place of one that cannot be pulled everywhere: a base, what starts, and files; its name."""

    built = []

    def build(name, base, entrypoint, *files):
        folder = tmp_path_factory.mktemp(name)
        for file in files:
            shutil.copy(file, folder)
        lines = [f"FROM {base}", *(f"COPY {Path(file).name} /bin/" for file in files), "HEALTHCHECK NONE"]
        (folder / "Dockerfile").write_text("\n".join([*lines, f"ENTRYPOINT {json.dumps(entrypoint)}", ""]))
        built.append(tag := f"{_PROJECT}-{name}")
        engine("build", "--tag", tag, folder)
        return tag

    yield build
    for tag in built:
        engine("rmi", "--force", tag, check=False)


@pytest.fixture(scope="module")
def up(compose, image, stand_in):
    """The server as Compose runs it, and a collector that tells what it gets; the server's address."""
    assert image == yaml.safe_load(COMPOSE.read_text())["services"]["asr"]["image"].partition(":-")[2].rstrip("}")
    variables = {"COLLECTOR_IMAGE": stand_in("collector", image, ["python", "-c", _COLLECTOR])}
    try:
        compose("up", "--detach", "--no-build", "collector", variables=variables)
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

        wait_until(lambda: heard().status_code == 200, "the key is known", PATIENCE)
        assert heard().json()["text"] == library_texts[CLIPS[0]]
        assert client.get("/metrics", headers=headers).status_code == 404
        assert client.get("/readyz").json() == {"status": "ready", "warnings": []}
    wait_until(lambda: "/v1/traces True True" in compose("logs", "collector"), "its spans", PATIENCE)
    assert "graph-" in compose("exec", "--no-TTY", "asr", "ls", "/state/cache")


@pytest.mark.usefixtures("up")
@pytest.mark.programs("prometheus")
def test_prometheus_finds_it_and_knows_the_rules(compose, base, stand_in):
    program = shutil.which("prometheus")
    variables = {"PROMETHEUS_IMAGE": stand_in("prometheus", base, ["/bin/prometheus"], program)}
    compose("up", "--detach", "--no-build", "--no-deps", "prometheus", variables=variables)
    with httpx.Client(base_url="http://" + compose("port", "prometheus", "9090").strip(), timeout=30) as client:

        def asked(path, **parameters):
            with contextlib.suppress(httpx.HTTPError):  # until it has started
                return client.get(path, params=parameters).raise_for_status().json()["data"]
            return {}

        def is_up():
            found = asked("/api/v1/query", query=_QUERY).get("result", ())
            return [sample["value"][1] for sample in found] == ["1"]

        wait_until(is_up, "the server is scraped", PATIENCE)
        assert asked("/api/v1/query", query="asr_lanes{job='asr',state='ready'}")["result"]

        def healthy():
            groups = asked("/api/v1/rules").get("groups", ())
            return groups and {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}

        wait_until(healthy, "all rules are evaluated", PATIENCE)
