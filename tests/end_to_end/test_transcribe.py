"""`POST /transcribe`: the shape of its reply, and the right text, however many ask."""

import numpy as np
import pytest
import soundfile
import soxr

from loadtest.harness.processes import in_background
from tests.inference.audio.encoders import ffmpeg
from tests.samples import CLIPS, encode, noise, sentence_of, tone

NAMASTE = next(path for path in CLIPS if path.stem == "namaste")
STAGES = {"queue", "decode", "features", "speech", "inference", "decoding", "total"}


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
        "segments": [
            {
                "text": each.text,
                "start": round(each.start, 3),
                "end": min(round(each.end, 3), expected.duration),
                "channel": None,
            }
            for each in expected.segments
        ],
        "language": "hi",
        "model": expected.model,
        "duration": expected.duration,
        "clipped": False,
        "warnings": [],
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
    other = b'\r\n--B\r\nContent-Disposition: form-data; name="model"\r\n\r\nhi-demo\r\n--B--\r\n'
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


@pytest.mark.parametrize(("kind", "rate"), [("mp3", 16_000), ("m4a", 16_000), ("webm", 48_000), ("telephone", 8_000)])
def test_what_browsers_and_telephones_send(client, spoken_texts, kind, rate):
    codecs = {"mp3": ("mp3", "libmp3lame"), "m4a": ("ipod", "aac"), "webm": ("webm", "libopus")}
    samples = soxr.resample(soundfile.read(NAMASTE)[0], 16_000, rate)
    audio = ffmpeg(samples, *codecs[kind], rate) if kind in codecs else encode(samples, rate, subtype="ALAW")
    reply = client.post("/transcribe", content=audio).json()
    assert (reply["text"], reply["warnings"]) == (spoken_texts[NAMASTE], [])


@pytest.mark.parametrize("content_type", ["audio/L16;rate=8000;channels=1", "audio/PCMA", "audio/basic"])
@pytest.mark.parametrize("form", [False, True])
def test_telephone_sound_without_a_header(client, spoken_texts, content_type, form):
    samples = soxr.resample(soundfile.read(NAMASTE)[0], 16_000, 8_000)
    if "L16" in content_type:
        audio = (samples * 32767).astype(">i2").tobytes()
    else:
        file = encode(samples, 8_000, subtype="ALAW" if "PCMA" in content_type else "ULAW")
        audio = file[file.index(b"data") + 8 :]
    if form:
        reply = client.post("/transcribe", files={"file": ("call.raw", audio, content_type)})
    else:
        reply = client.post("/transcribe", content=audio, headers={"Content-Type": content_type})
    assert reply.json()["text"] == spoken_texts[NAMASTE]


def test_telephone_sound_of_unknown_rate(client):
    reply = client.post("/transcribe", content=bytes(8_000), headers={"Content-Type": "audio/L16"})
    assert (reply.status_code, reply.json()["type"]) == (400, "/problems/bad-request")
    assert "rate" in reply.json()["detail"]


def test_what_is_wrong_with_a_file_is_said(client):
    sound = soundfile.read(NAMASTE)[0]
    inverted = encode(np.stack([sound, -sound], axis=1))
    assert client.post("/transcribe", content=inverted).json()["warnings"] == [
        "The channels cancel each other out; channel 1 alone was heard."
    ]


def test_a_content_type_is_not_believed(client, library_texts):
    reply = client.post("/transcribe", content=NAMASTE.read_bytes(), headers={"Content-Type": "text/html"})
    assert reply.json()["text"] == library_texts[NAMASTE]


def test_silence_and_noise_get_no_text(client):
    for audio in (encode(np.zeros(32_000)), encode(noise(2)), encode(noise(40))):
        client.post("/transcribe", content=NAMASTE.read_bytes())
        reply = client.post("/transcribe", content=audio)
        assert reply.status_code == 200
        assert reply.json()["text"] == ""
        processing = reply.json()["processing"]
        assert set(processing) == STAGES
        assert processing["inference"] == processing["decoding"] == 0 < processing["decode"]


@pytest.mark.measuring
def test_200_requests_at_16_at_once_give_the_texts_of_one_after_another(server, pipeline):
    clips = [sentence_of(1 + number % 5, seed=number) for number in range(20)]
    texts = [pipeline.transcribe(clip).text for clip in clips]
    with in_background(16) as submit:
        replies = [submit(server.post, clips[number % 20]) for number in range(200)]
    assert {reply.result().status_code for reply in replies} == {200}
    assert [reply.result().json()["text"] for reply in replies] == texts * 10
    one_after_another = [server.post(clip).json()["text"] for clip in clips]
    assert one_after_another == texts
