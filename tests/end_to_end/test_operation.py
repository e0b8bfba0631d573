"""What machines ask: health, readiness, metrics, the log."""

import subprocess

import pytest

from inference.package import load_package
from loadtest.harness.processes import in_background, paused, wait_until
from server import metrics
from tests.samples import CLIPS, DATA, seconds_of, wav

NAMASTE = next(path for path in CLIPS if path.stem == "namaste").read_bytes()


@pytest.fixture
def client(server):
    with server.client() as client:
        yield client


@pytest.mark.parametrize(
    ("path", "state"), [("/healthz", {"status": "alive"}), ("/readyz", {"status": "ready", "warnings": []})]
)
def test_health(client, path, state):
    reply = client.get(path)
    found = reply.json()
    if "warnings" in found:  # of a kernel that confines less
        found["warnings"] = [each for each in found["warnings"] if " without " not in each]
    assert (reply.status_code, found) == (200, state)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_balancers_ask_without_wanting_a_body(client, path):
    got = client.get(path)
    asked = client.head(path)
    assert (asked.status_code, asked.content) == (200, b"")
    assert asked.headers["content-type"] == got.headers["content-type"]
    options = client.options(path)
    assert (options.status_code, options.content) == (204, b"")
    assert {method.strip() for method in options.headers["allow"].split(",")} == {"GET", "HEAD", "OPTIONS"}
    assert client.post(path).status_code == 405


def test_a_path_forges_no_line(server, client):
    client.get("/forged%0A%7B%22message%22%3A%20%22forged%22%7D%1B%5B31m%E2%80%A8")
    wait_until(lambda: [line for line in server.logged("request") if "/forged" in line["path"]], "its line")
    assert all(isinstance(line, dict) for line in server.log_lines())
    assert not server.logged("forged")


def test_pages_of_other_sites_may_not_call(client):
    asked = {"Origin": "https://app.example.org", "Access-Control-Request-Method": "POST"}
    for reply in (client.options("/transcribe", headers=asked), client.get("/readyz", headers=asked)):
        assert "Access-Control-Allow-Origin" not in reply.headers


def test_open_api(client):
    assert client.get("/docs").status_code == 200
    operation = client.get("/openapi.json").json()["paths"]["/transcribe"]["post"]
    assert {"multipart/form-data", "audio/*"} <= set(operation["requestBody"]["content"])
    assert {"200", "413", "415", "422", "429", "504"} <= set(operation["responses"])


def test_health_answers_while_every_lane_is_busy(server, client):
    with in_background() as submit:
        with paused(*server.lanes()):
            replies = [submit(server.post, NAMASTE) for _ in range(4)]
            server.wait_metric(2, "asr_running_requests")
            for _ in range(20):
                assert client.get("/healthz").status_code == 200
            assert not any(reply.done() for reply in replies)
            wait_until(lambda: server.metric("asr_current_wait_seconds") > 0, "what waits is shown")
        assert {reply.result().status_code for reply in replies} == {200}


def test_every_metric_is_served(client):
    text = client.get("/metrics").text
    client.post("/transcribe", content=NAMASTE)
    families = {value._name for name, value in vars(metrics).items() if name.isupper() and hasattr(value, "_name")}
    assert {name for name in families if f"# HELP {name}" not in text} == set()


def test_a_request_is_counted(server):
    labels = {"route": "/transcribe", "method": "POST", "status": "200"}
    requests, audio = server.metric("asr_http_requests_total", **labels), server.metric("asr_audio_seconds_total")
    stages = server.metric("asr_stage_seconds_count", stage="inference")
    server.post(NAMASTE)
    assert server.metric("asr_http_requests_total", **labels) == requests + 1
    assert server.metric("asr_audio_seconds_total") - audio == pytest.approx(seconds_of(DATA / "namaste.wav"))
    assert server.metric("asr_stage_seconds_count", stage="inference") == stages + 1
    assert server.metric("asr_lanes", state="ready") == 2


def test_what_lanes_cost_is_shown(server):
    wait_until(lambda: server.metric("asr_memory_bytes", process="lanes") > 0, "memory of lanes")
    assert 0 < server.metric("asr_memory_bytes") < server.metric("asr_memory_limit_bytes")
    assert server.metric("asr_canary_seconds") > 0


def test_paths_of_strangers_make_no_labels(server):
    with server.client() as client:
        client.get("/a-path-that-nobody-has")
        assert "a-path-that-nobody-has" not in client.get("/metrics").text


@pytest.mark.programs("promtool")
def test_promtool_finds_no_fault(client):
    client.post("/transcribe", content=NAMASTE)
    text = client.get("/metrics").content
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr.decode() + checked.stdout.decode()


@pytest.mark.parametrize("body", [NAMASTE, wav()[:20]], ids=["good", "bad"])
def test_the_request_id_leads_to_the_log(server, body, model_directory):
    reply = server.post(body, X_Request_ID=f"test-{len(body)}")
    assert reply.headers["x-request-id"] == f"test-{len(body)}"

    def access_line():
        return [line for line in server.logged("request") if line.get("request_id") == f"test-{len(body)}"]

    (line,) = wait_until(access_line, "access line")
    assert (line["status"], line["path"], line["method"]) == (reply.status_code, "/transcribe", "POST")
    assert line["model"] == load_package(model_directory).name, "whatever became of it"


def test_a_made_id_leads_there_too(server):
    made = server.post(NAMASTE).headers["x-request-id"]
    lines = wait_until(
        lambda: [line for line in server.logged("request") if line.get("request_id") == made], "log line"
    )
    assert {"queue_seconds", "decode_seconds", "features_seconds", "inference_seconds"} <= set(lines[0])


def test_every_line_is_json_and_none_tells_a_text(server, library_texts):
    for path, text in library_texts.items():
        assert server.post(path.read_bytes()).json()["text"] == text
    lines = server.log_lines()
    assert [line for line in lines if not isinstance(line, dict)] == []
    log = "\n".join(str(line) for line in lines)
    assert not any(text in log for text in library_texts.values() if text)
