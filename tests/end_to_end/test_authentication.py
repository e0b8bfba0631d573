"""Keys and tokens at the doors of a real server, and everything that must not get through them, or out of them."""

import re
import resource
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from loadtest.harness.processes import PATIENCE, wait_until
from server.authentication.key_file import changed
from server.authentication.key_text import KeyText
from server.authentication.keys import Key
from tests.end_to_end.doors import SIGNING, bearer, guarded
from tests.issuer import ISSUER, SigningKey
from tests.samples import DATA

AUDIO = (DATA / "namaste.wav").read_bytes()
LET_IN = 422  # and has brought no audio


@pytest.fixture(scope="module")
def doors(model_directory, tmp_path_factory):
    with guarded(model_directory, tmp_path_factory.mktemp("doors")) as doors:
        yield doors


@pytest.fixture(scope="module")
def key(doors):
    text = doors.key(name="batch")
    doors.see(LET_IN, text)
    return text


def test_a_key_opens_whichever_way_it_comes(doors, key):
    for header in (bearer(key), bearer(key, "Token"), bearer(key, "bearer"), ("X-API-Key", str(key))):
        reply = doors.ask([header], content=AUDIO)
        assert (reply.status_code, bool(reply.json()["text"])) == (200, True)
    doors.wait_logged("batch")


def test_a_key_of_the_variable_and_a_token_open_too(doors):
    assert [doors.status(bearer(text), content=AUDIO) for text in (doors.given, doors.token())] == [200, 200]
    doors.wait_logged("somebody")


def test_a_refusal_says_how_to_be_let_in(doors):
    reply = doors.ask()
    assert (reply.status_code, reply.headers["www-authenticate"]) == (401, 'Bearer realm="speech recognition"')
    assert reply.json()["type"] == "/problems/unauthorized"
    assert "Authorization: Bearer" in reply.json()["detail"]
    reply = doors.ask(path="/v1/audio/transcriptions")
    assert (reply.status_code, reply.json()["error"]["type"]) == (401, "authentication_error")
    challenge = doors.ask([bearer("wrong")]).headers["www-authenticate"]
    assert challenge == 'Bearer realm="speech recognition", error="invalid_token"'


def test_logs_say_why_somebody_was_refused_and_the_answer_does_not(doors, key):
    token = doors.token()
    header, claims, _ = token.split(".")
    strangers = doors.secret(KeyText.new())
    refused = {
        "no_key": [],
        "several_keys": [bearer(key), ("X-API-Key", str(key))],
        "scheme": [("Authorization", f"Basic {key}")],
        "malformed": [(b"Authorization", "Bearer नमस्ते".encode())],
        "unknown_key": [bearer(strangers)],
        "wrong_secret": [bearer(KeyText(key.public_id, strangers.secret))],
        "unknown_signing_key": [bearer(doors.token(headers={"kid": "another"}))],
        "signature": [bearer(f"{header}.{claims}.{'A' * 342}")],
        "malformed_token": [bearer(f"{header}.{claims}")],
        "missing_claim": [bearer(doors.token(sub=None))],
        "audience": [bearer(doors.token(aud="mail"))],
        "issuer": [bearer(doors.token(iss="https://elsewhere.example"))],
        "expired_token": [bearer(doors.token(exp=int(time.time()) - 3600))],
        "token_too_early": [bearer(doors.token(nbf=int(time.time()) + 3600))],
    }
    said = {}
    for reason, headers in refused.items():
        reply = doors.ask([*headers, (b"X-Request-ID", f"why-{reason}".encode())])
        assert reply.status_code == 401
        said[reason] = reply.json()["detail"]
    assert said["unknown_key"] == said["wrong_secret"]
    assert said["signature"] == said["malformed_token"] == said["missing_claim"]
    assert said["audience"] == said["issuer"]

    for file in ("server.log", "audit.jsonl"):
        told = doors.wait_written(file, "why-", len(refused))
        assert {each: line["reason"] for each, line in told.items()} == {f"why-{each}": each for each in refused}
        assert told["why-unknown_key"]["key"] == strangers.public_id
        assert told["why-wrong_secret"]["key"] == key.public_id


def test_what_a_stranger_could_take_over_has_no_secret_in_its_environment(doors):
    """Nothing but the lanes and helpers of a worker; itself and its master the system shows as they were started."""
    (worker, _) = doors.server.workers()
    assert doors.given.digest in "".join(worker.environ().values())
    inherited = [child.environ() for worker in doors.server.workers() for child in worker.children(recursive=True)]
    assert len(inherited) >= len(doors.server.lanes()) == 2
    for environment in inherited:
        assert environment["ASR_JWT_ISSUER"] == ISSUER  # so that this is an environment
        assert not {"ASR_KEYS", "ASR_REDIS_URL"} & environment.keys()
        assert not [secret for secret in doors.secrets if secret in "".join(environment.values())]


def test_what_is_open_is_open_and_nothing_else_is(doors, key):
    for path in ("/healthz", "/readyz", "/openapi.json"):
        assert doors.status(method="GET", path=path) == 200
    for path in ("/metrics", "/v1/models", "/v1/models/hi-demo", "/nowhere", "/transcribe%0A", "//transcribe", "/"):
        assert doors.status(method="GET", path=path) == 401
    assert doors.status(bearer(key), method="GET", path="/v1/models") == 200
    assert doors.status(bearer(key), method="GET", path="/nowhere") == 404


def test_each_scope_opens_its_own(doors, key):
    reader = doors.key(scopes={"metrics"})
    doors.see(403, reader)
    assert doors.status(bearer(reader), path="/transcribe%0A") == 403
    assert doors.status(bearer(key), path="/transcribe%0A") == LET_IN  # and admitted, like any other
    assert doors.status(bearer(reader), method="GET", path="/metrics") == 200
    reply = doors.ask([bearer(key)], method="GET", path="/metrics")
    assert (reply.status_code, reply.json()["type"]) == (403, "/problems/forbidden")
    assert reply.headers["www-authenticate"].endswith('error="insufficient_scope", scope="metrics"')
    assert doors.status(bearer(doors.token(scope="metrics listen jobs admin"))) == 403
    assert doors.status(bearer(doors.token(scope="metrics")), method="GET", path="/metrics") == 200


def test_what_is_no_key(doors, key):
    wrong = [
        [],
        [("Authorization", "")],
        [("Authorization", "Bearer")],
        [("Authorization", f"Basic {key}")],
        [bearer(f"asr_{key.public_id}_{'0' * 64}")],
        [bearer(f"asr_{'0' * 12}_{key.secret}")],
        [bearer(f"asr_{key.public_id}_{key.digest}")],
        [bearer(key.secret)],
        [bearer("asr_" + "0" * 16_000)],
        [bearer(key), bearer(key)],
        [bearer(key), ("X-API-Key", str(key))],
        [(b"Authorization", "Bearer नमस्ते".encode())],
        [(b"Authorization", b"Bearer \xff\xfe")],
        [("X-API-Key", "null")],
        [("Cookie", f"key={key}")],
        [("Proxy-Authorization", f"Bearer {key}")],
        [("X-Forwarded-For", "127.0.0.1"), ("X-Real-IP", "127.0.0.1")],
    ]
    assert [doors.status(*headers) for headers in wrong] == [401] * len(wrong)
    assert doors.status(path=f"/transcribe?key={key}&access_token={key}") == 401
    for secret in (key, doors.token()):  # and none of it is in the log, as the last test of this file sees
        assert doors.status(path=f"/transcribe/{secret}") == 401
        assert doors.ask([("X-Request-ID", str(secret))]).headers["X-Request-ID"] != str(secret)
    assert doors.status(bearer("a" * 40_000)) == 431


def test_what_is_no_token(doors):
    now, strangers = int(time.time()), SigningKey()
    header, claims, signature = doors.token().split(".")
    wrong = [
        doors.secret(strangers.token()),
        doors.token(exp=now - 3600),
        doors.token(nbf=now + 3600),
        doors.token(aud="mail"),
        doors.token(iss="https://elsewhere.example"),
        f"{header}.{claims}.",
        f"eyJhbGciOiJub25lIn0.{claims}.",
        f"{header}.{strangers.token(sub='root').split('.')[1]}.{signature}",
        *(doors.token(headers={"kid": kid}) for kid in ("", "unknown", "../../dev/null", "' OR 1=1 --", "a" * 2000)),
        doors.token(headers={"jku": doors.key_set.url, "kid": "made up"}),
        doors.secret(strangers.token(headers={"jwk": strangers.entry()})),
    ]
    assert [doors.status(bearer(token)) for token in wrong] == [401] * len(wrong)
    assert doors.status(bearer(doors.token())) == LET_IN


@pytest.mark.measuring
def test_the_issuer_rotates_its_keys(doors):
    following = SigningKey("following")
    token = doors.secret(following.token())
    assert doors.status(bearer(token)) == 401
    doors.key_set.publish(following)
    doors.wait(LET_IN, token)
    doors.wait(401, doors.token())
    doors.key_set.publish(SIGNING)
    doors.wait(LET_IN, doors.token())


@pytest.mark.measuring
def test_a_key_is_rotated_and_revoked_while_the_server_runs(doors):
    text, following = doors.key(), KeyText.new()
    doors.see(LET_IN, text)
    for until, status in ((timedelta(hours=1), LET_IN), (timedelta(), 401)):
        with changed(doors.path) as keys:
            former = Key(sha256=text.digest, name="caller", scopes={"transcribe"}, created=datetime.now(UTC))
            keys[text.public_id] = former.rotated(following.digest, datetime.now(UTC) + until)
        doors.see(LET_IN, doors.secret(KeyText(text.public_id, following.secret)))
        doors.see(status, text)
    with changed(doors.path) as keys:
        del keys[text.public_id]
    doors.see(401, KeyText(text.public_id, following.secret))


def test_a_key_expires(doors):
    text = doors.key(expires=datetime.now(UTC))
    wait_until(lambda: "expired" in doors.ask([bearer(text)]).text, "the key has been read", pause=0.1)


@pytest.mark.measuring
def test_a_key_for_pages(doors):
    text = doors.key(origins={"https://example.org"})
    doors.see(403, text)
    assert doors.status(bearer(text), ("Origin", "https://example.org")) == LET_IN
    assert doors.status(bearer(text), ("Origin", "https://example.org.evil.net")) == 403


@pytest.mark.measuring
def test_a_broken_file_and_a_missing_one_open_nothing(doors, key):
    content = doors.path.read_bytes()
    doors.path.write_bytes(content[:-20])
    wait_until(
        lambda: (
            doors.status(bearer(key)) and "the keys stay as they were" in doors.server.log.read_text(encoding="utf-8")
        ),
        "noticed",
    )
    assert doors.status(bearer(key)) == LET_IN
    doors.path.unlink()
    doors.see(401, key)
    assert "keys.json is gone" in doors.server.log.read_text(encoding="utf-8")
    assert doors.status() == 401
    doors.path.write_bytes(content)
    doors.see(LET_IN, key)


@pytest.mark.parametrize("length", [b"Content-Length: 1073741824", b"Transfer-Encoding: chunked"])
def test_a_stranger_is_answered_before_its_body(doors, length):
    head = b"POST /transcribe HTTP/1.1\r\nHost: a\r\n" + length + b"\r\n\r\n"
    with socket.create_connection(("127.0.0.1", doors.server.port), PATIENCE) as stranger:
        stranger.sendall(head)
        answer = b""
        while piece := stranger.recv(65_536):  # until the server closes its side
            answer += piece
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"\r\nconnection: close\r\n" in answer


def test_openais_client(doors, key):
    openai = pytest.importorskip("openai")

    def connected(text):
        return openai.OpenAI(base_url=f"{doors.server.url}/v1", api_key=str(text), max_retries=0, timeout=PATIENCE)

    listener = doors.key(scopes={"listen"})
    doors.see(403, listener)
    wishes = {"file": DATA / "namaste.wav", "model": "whisper-1"}
    with connected(key) as client:
        assert client.audio.transcriptions.create(**wishes).text
        assert client.models.list().data
    with connected(KeyText.new()) as client, pytest.raises(openai.AuthenticationError) as caught:
        client.audio.transcriptions.create(**wishes)
    assert (caught.value.status_code, caught.value.code) == (401, "unauthorized")
    with connected(listener) as client, pytest.raises(openai.PermissionDeniedError) as caught:
        client.audio.transcriptions.create(**wishes)
    assert (caught.value.status_code, caught.value.code) == (403, "forbidden")


def test_nothing_that_was_said_or_shown_holds_a_secret(doors, key):
    """The last test of this file: it reads what all before it have made the server say, and what is refused."""
    test_what_is_no_key(doors, key)
    test_what_is_no_token(doors)
    reader = doors.key(scopes={"metrics"})
    wait_until(lambda: doors.status(bearer(reader), method="GET", path="/metrics") == 200, "the key is read")
    doors.ask(method="GET", path="/readyz")
    processes = [doors.server.master, *doors.server.master.children(recursive=True)]
    shown = subprocess.run([sys.executable, "-m", "config"], capture_output=True, text=True, check=True).stdout
    everything = "\n".join((
        *doors.said,
        doors.server.log.read_text(encoding="utf-8"),
        (doors.server.directory / "audit.jsonl").read_text(encoding="utf-8"),
        *(f"{process.name()} {process.cmdline()}" for process in processes),
        shown,
    ))  # fmt: skip
    assert "unauthorized" in everything
    assert "asr_http_requests_total" in everything
    assert len(doors.secrets) > 30
    assert not [secret for secret in doors.secrets if secret in everything]
    assert not re.search(r"asr_[0-9a-f]{12}_", everything)
    assert {process.rlimit(resource.RLIMIT_CORE) for process in processes} == {(0, 0)}  # nor will a core file
