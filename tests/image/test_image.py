"""What users run: the image as the README builds it, on a real engine."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile

from loadtest.harness.processes import wait_until
from tests.image.conftest import PATIENCE, ROOT, client_of
from tests.packages import random_package
from tests.samples import CLIPS, encode

pytestmark = [pytest.mark.image, pytest.mark.timeout(1800)]

_RECORDINGS = 6
_HARD = ("--read-only", "--tmpfs", "/tmp", "--network", "none", "--cap-drop", "ALL")
_HARD = (*_HARD, "--security-opt", "no-new-privileges", "--memory", "1g", "--cpus", "1")
_ASK = """
import sys, urllib.request
request = urllib.request.Request("http://127.0.0.1:8000" + sys.argv[1], sys.stdin.buffer.read() or None)
sys.stdout.write(urllib.request.urlopen(request, timeout=120).read().decode())
"""
_INSIDE = """
for program in gcc cc c++ as ld strip make pip pip3 curl; do command -v $program; done
for module in pip setuptools scipy ensurepip pytest; do python -c "import $module" 2>/dev/null && echo $module; done
find / -xdev -path /proc -prune -o \\( -name '*.wav' -o -name tests -o -path '*/root/.cache' \\) -print 2>/dev/null
touch /app/x /venv/x 2>/dev/null && echo writable
true
"""
_PACKAGES = "import importlib.metadata as m; print(*(f'{d.name}=={d.version}' for d in m.distributions()))"


@pytest.fixture(scope="module")
def hard(image, started):
    """A container that may do next to nothing."""
    with started(*_HARD, image) as name:
        yield name


def _ask(engine, name, path, data=b""):
    return engine("exec", "--interactive", name, "python", "-c", _ASK, path, data=data)


def test_it_answers_and_is_counted(published, library_texts):
    _, client = published
    for clip in CLIPS[:3]:
        assert client.post("/transcribe", content=clip.read_bytes()).json()["text"] == library_texts[clip]
    assert client.get("/readyz").json() == {"status": "ready", "warnings": []}
    assert 'asr_http_requests_total{method="POST",route="/transcribe",status="200"} 3.0' in client.get("/metrics").text


def test_it_changes_nothing_of_what_it_was_built_with(engine, published):
    name, _ = published
    changed = [line.partition(" ")[2] for line in engine("diff", name).splitlines()]
    assert [path for path in changed if path.startswith(("/app", "/venv", "/usr"))] == []


def test_the_engine_sees_that_it_is_healthy(engine, published):
    if engine.program.endswith("podman"):
        pytest.skip("podman's timers are systemd's; its tests of health are run by hand, as these tests do")
    name, _ = published
    wait_until(lambda: engine.says(name, "{{.State.Health.Status}}") == "healthy", "healthy", PATIENCE)


def test_one_that_may_do_nothing_works_as_well(engine, hard, library_texts):
    assert json.loads(_ask(engine, hard, "/readyz")) == {"status": "ready", "warnings": []}
    heard = json.loads(_ask(engine, hard, "/transcribe", CLIPS[0].read_bytes()))
    assert heard["text"] == library_texts[CLIPS[0]]
    assert engine("exec", hard, "id", "-u") == "10001"
    interfaces = engine("exec", hard, "cat", "/proc/net/dev").splitlines()[2:]
    assert [line.split(":")[0].strip() for line in interfaces] == ["lo"]


def test_lanes_follow_from_what_the_container_may_use(engine, hard):
    log = engine("logs", hard, check=False)
    assert "1 processors by control group" in log
    assert "1024 MiB of memory by control group" in log
    assert "1 workers × 1 processes × 1 threads" in log


def test_graphs_for_the_very_processor_are_made_where_they_can_be(engine, image, started):
    with started(*_HARD, "--tmpfs", "/cache:mode=1777", "--env", "ASR_CACHE=/cache", image) as name:
        assert "graph-" in engine("exec", name, "ls", "/cache")
        assert json.loads(_ask(engine, name, "/readyz"))["warnings"] == []


def test_packages_of_ones_own_come_by_a_volume(engine, image, started, model_directory, tmp_path):
    tmp_path.chmod(0o755)  # of another user than the one inside
    random_package(model_directory, tmp_path / "own", name="own", language="mr", seed=1)
    volume, chosen = ("--volume", f"{tmp_path}:/app/models:ro"), ("--env", "ASR_MODEL=models/own")
    with started(*_HARD, *volume, *chosen, image) as name:
        (model,) = json.loads(_ask(engine, name, "/v1/models"))["data"]
        assert model["id"] == "own"
        assert json.loads(_ask(engine, name, "/transcribe", CLIPS[0].read_bytes()))["model"] == "own"


def test_the_list_of_packages_is_what_is_inside(engine, image):
    listed = re.findall(
        r"^[\w.-]+==[^ ;]+", (ROOT / "requirements.txt").read_text(), re.MULTILINE
    )  # `make sbom` reads it
    inside = engine("run", "--rm", "--network", "none", image, "python", "-c", _PACKAGES).split()
    assert {_normal(package) for package in inside} <= {_normal(package) for package in listed}
    assert {"numpy", "onnxruntime", "gunicorn"} <= {package.partition("==")[0] for package in inside}


def _normal(package):
    name, _, version = package.partition("==")
    return re.sub(r"[-_.]+", "-", name).lower(), version


def test_nothing_is_inside_that_does_not_serve(engine, image):
    assert engine("run", "--rm", "--network", "none", image, "sh", "-c", _INSIDE) == ""


def test_it_says_who_it_is(engine, image):
    assert engine.says(image, "{{.Config.User}}") == "10001:10001"
    labels = json.loads(engine.says(image, "{{json .Config.Labels}}"))
    wanted = ("title", "description", "licenses", "version", "revision", "base.name")
    assert all(labels[f"org.opencontainers.image.{name}"] for name in wanted)


def test_it_is_no_larger_than_its_page_says(engine, base, image):
    beside = int(engine.says(image, "{{.Size}}")) - int(engine.says(base, "{{.Size}}"))
    print(f"\n{beside / 1e6:.0f} MB beside the base")
    page = (ROOT / "docs/container.md").read_text(encoding="utf-8")
    (said,) = re.findall(r"^(\d+) MB beside the base", page, re.MULTILINE)
    assert beside < 1.01 * int(said) * 1e6


def test_a_container_that_is_stopped_answers_all_that_it_had_begun(engine, image, started):
    # As long as it takes: a busy machine is not what this is about.
    with started("--publish", "127.0.0.1::8000", "--env", "ASR_GRACE_SECONDS=300", image) as name:
        with client_of(engine, name) as client:
            _begin_and_stop(engine, name, client)
        assert engine.says(name, "{{.State.ExitCode}}") == "0"


def _begin_and_stop(engine, name, client):
    recording = encode(np.tile(soundfile.read(CLIPS[0], dtype="float32")[0], 30))
    before = _counted(client)
    with ThreadPoolExecutor(_RECORDINGS) as executor:
        answers = [executor.submit(client.post, "/transcribe", content=recording) for _ in range(_RECORDINGS)]
        wait_until(lambda: _counted(client) - before == _RECORDINGS, "all begun", PATIENCE)
        engine("stop", "--time", "310", name, seconds=400)
        assert [answer.result().status_code for answer in answers] == [200] * _RECORDINGS


def _counted(client):
    """Requests to transcribe that are answered, and recordings under way."""
    lines = [line.rpartition(" ") for line in client.get("/metrics").text.splitlines()]
    wanted = ("asr_recordings{", 'asr_http_requests_total{method="POST",route="/transcribe"')
    return sum(float(value) for name, _, value in lines if name.startswith(wanted))
