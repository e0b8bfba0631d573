"""What the server shows to browsers, to operators and to strangers, and what it writes down of each request."""

import base64
import hashlib
import json
import re
import stat

import httpx
import pytest

from loadtest.harness.processes import in_background, wait_until
from tests.end_to_end.conftest import running
from tests.samples import DATA

CLIP = (DATA / "namaste.wav").read_bytes()
ORIGIN = "https://app.example.org"
ASKED = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("doors")


@pytest.fixture(scope="module")
def server(model_directory, directory):
    """Two workers, with a listener for operators and an audit log."""
    settings = {
        "ASR_WORKERS": "2",
        "ASR_LANES": "1",
        "ASR_MANAGEMENT_BIND": f"unix:{directory}/management.sock",
        "ASR_AUDIT_LOG": str(directory / "audit.jsonl"),
        "ASR_CORS_ORIGINS": f"{ORIGIN}, http://localhost:3000",
        "ASR_TRUSTED_PROXIES": "127.0.0.1",
    }
    with running(model_directory, directory, settings) as server:
        yield server


@pytest.fixture
def management(server):
    with httpx.Client(
        transport=httpx.HTTPTransport(uds=str(server.directory / "management.sock")),
        base_url="http://operators",
        timeout=60,
    ) as client:
        yield client


def get(server, path, **headers):
    with server.client() as client:
        return client.get(path, headers=headers)


def written(log):
    """All lines, but one that is just being written."""
    return [json.loads(line) for line in log.read_text(encoding="utf-8").rpartition("\n")[0].splitlines()]


def audited(directory, request_id):
    def lines():
        return [line for line in written(directory / "audit.jsonl") if line["request_id"] == request_id]

    (line,) = wait_until(lines, "a line")
    return line


@pytest.mark.parametrize("path", ["/metrics", "/docs", "/openapi.json"])
def test_what_is_for_operators_is_served_at_their_listener_alone(server, management, path):
    assert get(server, path).status_code == 404
    assert management.get(path).status_code == 200


def test_nothing_else_is_served_there_and_health_is_served_everywhere(server, management):
    assert management.post("/transcribe", content=CLIP).status_code == 404
    assert management.get("/v1/models").status_code == 404
    for path in ("/healthz", "/readyz"):
        assert management.get(path).status_code == 200
        assert get(server, path).status_code == 200
    assert server.logged("unexpected error") == []


@pytest.mark.measuring
def test_the_listener_for_operators_outlives_a_worker_and_shows_all_of_them(server, management):
    assert server.post(CLIP).status_code == 200
    (worker, _) = before = server.workers()
    worker.kill()
    served = r'asr_http_requests_total\{.*route="/transcribe",status="200"\} [1-9]'
    assert re.search(served, management.get("/metrics").text)
    wait_until(lambda: len(set(server.workers()) - set(before)) == 1, "another worker")
    wait_until(lambda: 'asr_lanes{state="ready"} 2.0' in management.get("/metrics").text, "its lane")


def test_answers_say_that_they_are_kept_nowhere_and_run_nothing(server):
    for reply in (server.post(CLIP), server.post(b"no sound"), get(server, "/nowhere"), get(server, "/healthz")):
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Cache-Control"] == "no-store"
        assert reply.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert "Strict-Transport-Security" not in reply.headers


def test_docs_may_load_what_they_load_and_nothing_else(management):
    reply = management.get("/docs")
    policy = dict(each.split(" ", 1) for each in reply.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    loaded = re.findall(r'<(script|link)[^>]*(?:src|href)="(https:[^"]+)" integrity="sha384-([^"]{64})"', reply.text)
    assert {kind: url for kind, url, _ in loaded} == {
        "script": policy["script-src"].split()[0],
        "link": policy["style-src"].split()[0],
    }
    (script,) = re.findall(r"<script>(.*?)</script>", reply.text, re.DOTALL)
    assert f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in policy["script-src"]
    assert 'url: "openapi.json"' in script


def test_pages_of_listed_origins_may_call_and_read_refusals(server):
    with server.client() as client:
        asked = client.options("/transcribe", headers=ASKED)
        reply = client.post("/transcribe", content=b"no sound", headers={"Origin": ORIGIN})
    assert asked.status_code == 200
    assert asked.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "authorization" in asked.headers["Access-Control-Allow-Headers"]
    assert reply.status_code >= 400
    assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Retry-After" in reply.headers["Access-Control-Expose-Headers"]


def test_pages_may_use_openai_s_client(server):
    """Which sends headers of its own; a browser asks for each of them first."""
    wanted = "authorization,content-type,idempotency-key,x-stainless-arch,x-stainless-lang,x-stainless-retry-count"
    with server.client() as client:
        asked = client.options("/v1/audio/transcriptions", headers=ASKED | {"Access-Control-Request-Headers": wanted})
    assert asked.status_code == 200
    assert {each.strip() for each in asked.headers["Access-Control-Allow-Headers"].split(",")} >= set(wanted.split(","))


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{ORIGIN}.evil.example", "http://app.example.org"])
def test_pages_of_other_origins_may_not(server, origin):
    with server.client() as client:
        asked = client.options("/transcribe", headers=ASKED | {"Origin": origin})
        reply = client.post("/transcribe", content=CLIP, headers={"Origin": origin})
    assert asked.status_code == 400
    for each in (asked, reply):
        assert "Access-Control-Allow-Origin" not in each.headers


def test_the_audit_log_says_who_did_what_how_much_and_how_it_ended(server, directory):
    server.post(CLIP, X_Request_ID="audit-served", X_Forwarded_For="192.0.2.1")
    server.post(b"no sound", X_Request_ID="audit-rejected", X_Forwarded_For="2001:db8::1")
    get(server, "/healthz", **{"X-Request-ID": "audit-health"})
    served, rejected = audited(directory, "audit-served"), audited(directory, "audit-rejected")
    assert served | {"timestamp": 0, "seconds": 0} == {
        "timestamp": 0,
        "request_id": "audit-served",
        "principal": "192.0.2.1",
        "name": "192.0.2.1",
        "kind": "address",
        "address": "192.0.2.1",
        "method": "POST",
        "path": "/transcribe",
        "status": 200,
        "outcome": "served",
        "reason": None,
        "key": None,
        "seconds": 0,
        "model": "hi-demo",
        "audio_seconds": pytest.approx(2.08, abs=0.01),
    }
    assert (rejected["principal"], rejected["address"]) == ("2001:db8::/64", "2001:db8::1")
    assert (rejected["outcome"], rejected["audio_seconds"]) == ("rejected", 0)
    text = (directory / "audit.jsonl").read_text(encoding="utf-8")
    assert "audit-health" not in text
    assert "नमस्ते" not in text
    assert stat.S_IMODE((directory / "audit.jsonl").stat().st_mode) == 0o600


@pytest.mark.measuring
def test_lines_of_all_workers_stay_whole_and_go_on_in_a_new_file_when_the_old_one_is_moved_away(server, directory):
    log = directory / "audit.jsonl"
    path = "/" + "x" * 4000
    ids = [f"rotated-{number}" for number in range(200)]
    with in_background(8) as submit:
        asked = [submit(get, server, path, **{"X-Request-ID": each}) for each in ids[:100]]
        assert {each.result().status_code for each in asked} == {404}
        log.rename(directory / "audit.jsonl.1")
        asked = [submit(get, server, path, **{"X-Request-ID": each}) for each in ids[100:]]
        assert {each.result().status_code for each in asked} == {404}

    def told():
        return {line["request_id"] for file in (log, directory / "audit.jsonl.1") for line in written(file)}

    wait_until(lambda: set(ids) <= told(), "all lines")
    assert log.stat().st_size > 0
