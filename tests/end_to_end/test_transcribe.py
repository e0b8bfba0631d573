"""`POST /transcribe`: the shape of its reply, and the right text, however many ask."""

import numpy as np
import pytest

from loadtest.harness.processes import in_background
from tests.samples import CLIPS, encode, noise, sentence_of, tone

NAMASTE = next(path for path in CLIPS if path.stem == "namaste")
STAGES = {"queue", "decode", "features", "inference", "decoding", "total"}


@pytest.fixture
def client(server):
    with server.client() as client:
        yield client


@pytest.fixture(params=["multipart", "raw"])
def send(request, client):
    """The audio in either form of the body."""
    if request.param == "multipart":
        return lambda audio: client.post("/transcribe", files={"file": ("clip.wav", audio, "audio/wav")})
    return lambda audio: client.post("/transcribe", content=audio, headers={"Content-Type": "audio/wav"})


def test_shape_of_the_reply(send, library_texts, pipeline):
    reply = send(NAMASTE.read_bytes())
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    content = reply.json()
    processing = content.pop("processing")
    expected = pipeline.transcribe(NAMASTE.read_bytes())
    assert content == {
        "text": library_texts[NAMASTE],
        "language": "hi",
        "model": expected.model,
        "duration": expected.duration,
        "clipped": False,
        "request_id": reply.headers["x-request-id"],
    }
    assert set(processing) == STAGES
    assert all(seconds >= 0 for seconds in processing.values())
    assert processing["total"] >= sum(processing.values()) - processing["total"]


@pytest.mark.parametrize(
    ("content_type", "disposition"),
    [
        ("multipart/form-data; boundary=B", 'form-data; name="file"'),
        ("multipart/form-data; boundary=B", "form-data; name=\"file\"; filename*=utf-8''%E0%A4%A8.wav"),
        ("multipart/form-data; boundary=B", 'form-data; name="file"; filename="न.wav"'),
        ("multipart/form-data; boundary=B", "FORM-DATA; NAME=file; FILENAME=a.wav"),
        ("Multipart/Form-Data; boundary=B", 'form-data; name="file"; filename="a.wav"'),
        ('MULTIPART/FORM-DATA ;BOUNDARY="B"', 'form-data; name="file"; filename="a.wav"'),
    ],
)
def test_forms_as_clients_write_them(client, library_texts, content_type, disposition):
    part = f"--B\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + NAMASTE.read_bytes()
    other = b'\r\n--B\r\nContent-Disposition: form-data; name="model"\r\n\r\nhi\r\n--B--\r\n'
    reply = client.post("/transcribe", content=part + other, headers={"Content-Type": content_type})
    assert reply.json()["text"] == library_texts[NAMASTE]


@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.stem)
def test_sample_clips(client, spoken_texts, path):
    assert client.post("/transcribe", content=path.read_bytes()).json()["text"] == spoken_texts[path]


@pytest.mark.parametrize(("container", "subtype"), [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS")])
def test_other_containers(client, pipeline, container, subtype):
    audio = encode(noise(1, 48_000) + tone(1, 48_000), 48_000, container, subtype)
    reply = client.post("/transcribe", content=audio, headers={"Content-Type": "application/octet-stream"})
    assert reply.json()["text"] == pipeline.transcribe(audio).text


def test_a_content_type_is_not_believed(client, library_texts):
    reply = client.post("/transcribe", content=NAMASTE.read_bytes(), headers={"Content-Type": "text/html"})
    assert reply.json()["text"] == library_texts[NAMASTE]


def test_what_is_too_long_is_clipped_and_says_so(client, pipeline):
    audio = sentence_of(14)
    reply = client.post("/transcribe", content=audio).json()
    assert reply["clipped"]
    assert reply["duration"] == 14
    assert reply["text"] == pipeline.transcribe(audio).text


def test_silence_and_noise_get_no_other_requests_text(client, pipeline):
    for audio in (encode(np.zeros(32_000)), encode(noise(2))):
        client.post("/transcribe", content=NAMASTE.read_bytes())
        reply = client.post("/transcribe", content=audio)
        assert reply.status_code == 200
        assert reply.json()["text"] == pipeline.transcribe(audio).text


def test_200_requests_at_16_at_once_give_the_texts_of_one_after_another(server, pipeline):
    clips = [sentence_of(1 + number % 5, seed=number) for number in range(20)]
    texts = [pipeline.transcribe(clip).text for clip in clips]
    with in_background(16) as submit:
        replies = [submit(server.post, clips[number % 20]) for number in range(200)]
    assert {reply.result().status_code for reply in replies} == {200}
    assert [reply.result().json()["text"] for reply in replies] == texts * 10
    one_after_another = [server.post(clip).json()["text"] for clip in clips]
    assert one_after_another == texts
