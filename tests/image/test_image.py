"""What users run: the image as the README builds it, on a real engine."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile

from loadtest.harness.processes import wait_until
from tests.samples import CLIPS, encode

pytestmark = [pytest.mark.image, pytest.mark.timeout(1800)]

_MEGABYTES_BESIDE_THE_BASE = 400
_RECORDINGS = 6
_HARD = ("--read-only", "--tmpfs", "/tmp", "--network", "none", "--cap-drop", "ALL")
_HARD = (*_HARD, "--security-opt", "no-new-privileges", "--memory", "1g", "--cpus", "1")
_ASK = """
import sys, urllib.request
request = urllib.request.Request("http://127.0.0.1:8000" + sys.argv[1], sys.stdin.buffer.read() or None)
sys.stdout.write(urllib.request.urlopen(request, timeout=120).read().decode())
"""
_INSIDE = """
for program in gcc cc c++ make pip pip3 curl; do command -v $program; done
for module in pip setuptools scipy ensurepip pytest; do python -c "import $module" 2>/dev/null && echo $module; done
find / -xdev -path /proc -prune -o \\( -name '*.wav' -o -name tests -o -path '*/root/.cache' \\) -print 2>/dev/null
touch /app/x /venv/x 2>/dev/null && echo writable
true
"""


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
    assert beside < _MEGABYTES_BESIDE_THE_BASE * 1e6


def test_a_container_that_is_stopped_answers_all_that_it_had_begun(engine, published):  # the last: it ends there
    name, client = published
    recording = encode(np.tile(soundfile.read(CLIPS[0], dtype="float32")[0], 30))
    before = _counted(client)
    with ThreadPoolExecutor(_RECORDINGS) as executor:
        answers = [executor.submit(client.post, "/transcribe", content=recording) for _ in range(_RECORDINGS)]
        wait_until(lambda: _counted(client) - before == _RECORDINGS, "all begun", 120)
        engine("stop", "--time", "100", name)
        assert [answer.result().status_code for answer in answers] == [200] * _RECORDINGS
    assert engine.says(name, "{{.State.ExitCode}}") == "0"


def _counted(client):
    """Requests to transcribe that are answered, and recordings under way."""
    lines = [line.rpartition(" ") for line in client.get("/metrics").text.splitlines()]
    wanted = ("asr_recordings{", 'asr_http_requests_total{method="POST",route="/transcribe"')
    return sum(float(value) for name, _, value in lines if name.startswith(wanted))
