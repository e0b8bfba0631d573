"""What bad input gets: a problem that says what is wrong, and a server that goes on."""

import numpy as np
import pytest

from tests.inference.audio.encoders import picture, silent_film
from tests.samples import CLIPS, encode, noise, tone, wav

FLAC = encode(noise(1), container="FLAC")


def with_nan():
    samples = tone()
    samples[100] = np.nan
    return encode(samples, subtype="FLOAT")


# body → status, slug, a word of the detail
TABLE = {
    "empty body": (b"", 422, "missing-audio", "'file'"),
    "not audio": (b"hello, this is no audio", 422, "undecodable-audio", "not audio"),
    "truncated header": (wav()[:30], 422, "undecodable-audio", "header"),
    "truncated data": (wav()[:-500], 422, "undecodable-audio", "announces"),
    "corrupt FLAC": (FLAC[:5000] + bytes(len(FLAC) - 5000), 422, "undecodable-audio", "FLAC"),
    "MIDI": (b"MThd" + bytes(1000), 415, "unsupported-codec", "WAV"),
    "M4A without sound": (b"\0\0\0\x20ftypM4A " + bytes(1000), 422, "undecodable-audio", "MP4"),
    "unknown codec": (wav(codec=0x1234), 415, "unsupported-codec", "0x1234"),
    "a film without sound": (silent_film(), 422, "undecodable-audio", "no audio stream"),
    "a picture": (picture(), 422, "undecodable-audio", "JPEG"),
    "zero samples": (encode(tone(0)), 422, "audio-too-short", "0.1 s"),
    "50 ms": (encode(tone(0.05)), 422, "audio-too-short", "0.1 s"),
    "NaN": (with_nan(), 422, "invalid-samples", "NaN"),
    "4 kHz": (encode(tone(rate=4_000), 4_000), 422, "audio-out-of-limits", "8000 to 96000 Hz"),
    "192 kHz": (encode(tone(rate=192_000), 192_000), 422, "audio-out-of-limits", "8000 to 96000 Hz"),
    "40 channels": (wav(bytes(160_000), channels=40), 422, "audio-out-of-limits", "up to 32"),
    "body too large": (bytes(2 * 2**20 + 1), 413, "body-too-large", "ASR_MAX_UPLOAD_MB"),
}


def assert_problem(reply, status, slug, detail):
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"
    problem = reply.json()
    assert set(problem) == {"type", "title", "status", "detail", "request_id"}
    assert problem["type"] == f"/problems/{slug}"
    assert problem["status"] == status
    assert problem["title"]
    assert detail in problem["detail"]
    assert problem["request_id"] == reply.headers["x-request-id"]
    assert "Traceback" not in reply.text


@pytest.fixture
def client(server, library_texts):
    """A client, whose server must still work afterwards."""
    with server.client() as client:
        yield client
        assert client.post("/transcribe", content=CLIPS[0].read_bytes()).json()["text"] == library_texts[CLIPS[0]]


@pytest.mark.parametrize(("body", "status", "slug", "detail"), TABLE.values(), ids=TABLE)
def test_as_the_raw_body(client, body, status, slug, detail):
    assert_problem(client.post("/transcribe", content=body), status, slug, detail)


@pytest.mark.parametrize(("body", "status", "slug", "detail"), TABLE.values(), ids=TABLE)
def test_as_a_form(client, body, status, slug, detail):
    assert_problem(client.post("/transcribe", files={"file": ("clip.wav", body)}), status, slug, detail)


def test_a_large_body_without_a_length(client):
    def chunks():
        for _ in range(5 * 32):
            yield bytes(2**15)

    assert_problem(client.post("/transcribe", content=chunks()), 413, "body-too-large", "ASR_MAX_UPLOAD_MB")


def test_a_form_without_the_field(client):
    reply = client.post("/transcribe", files={"audio": ("clip.wav", wav())})
    assert_problem(reply, 422, "missing-audio", "'file'")


def test_a_field_that_is_no_file(client):
    """With or without a file name, a part is what its name says."""
    reply = client.post("/transcribe", data={"file": "text"}, files={"model": ("clip.wav", b"hi-demo")})
    assert_problem(reply, 422, "undecodable-audio", "not audio")


def test_two_files(client):
    reply = client.post("/transcribe", files=[("file", ("a.wav", wav())), ("file", ("b.wav", wav()))])
    assert_problem(reply, 400, "bad-request", "more than one")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", wav()),
        ("multipart/form-data; boundary=x", b"no form at all"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=file\r\n\r\n" + wav()),
        ("multipart/form-data; boundary=" + "x" * 300, wav()),
    ],
)
def test_a_malformed_form(client, content_type, body):
    reply = client.post("/transcribe", content=body, headers={"Content-Type": content_type})
    assert reply.status_code in {400, 422}
    assert_problem(reply, reply.status_code, reply.json()["type"].removeprefix("/problems/"), "")


@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan", "inf", ""])
def test_a_timeout_that_is_none(client, value):
    reply = client.post("/transcribe", content=wav(), headers={"X-Request-Timeout": value})
    assert_problem(reply, 400, "bad-request", "X-Request-Timeout")


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/transcribe", 405), ("POST", "/nowhere", 404)])
def test_no_such_route(client, method, path, status):
    assert client.request(method, path).status_code == status
