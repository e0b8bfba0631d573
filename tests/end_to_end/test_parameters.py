"""What a client wishes for reaches its answer, as a field of the form before or behind the file, or in the query."""

import pytest

from inference.types import Options
from server.formats.renderings import RENDERINGS
from tests.samples import DATA

NAMASTE = (DATA / "namaste.wav").read_bytes()


@pytest.fixture
def client(server):
    with server.client() as client:
        yield client


@pytest.fixture(scope="module")
def heard(pipeline):
    return pipeline.transcribe(NAMASTE, options=Options(words=True))


def form(client, *fields, query=None):
    """Parts in this very order; `file` stands for the clip."""
    parts = [("file", ("clip.wav", NAMASTE)) if each == "file" else (each[0], (None, each[1])) for each in fields]
    return client.post("/transcribe", files=parts, params=query)


@pytest.mark.parametrize("fmt", RENDERINGS)
def test_formats(client, heard, fmt):
    render, media_type = RENDERINGS[fmt]
    for reply in (
        form(client, ("format", fmt), "file"),
        form(client, "file", ("format", fmt), ("language", "hi-IN")),
        client.post("/transcribe", content=NAMASTE, params={"format": fmt}),
    ):
        assert (reply.status_code, reply.headers["content-type"]) == (200, media_type)
        assert reply.text == render(heard)


def test_words(client, heard):
    expected = [
        {"text": word.text, "start": word.start, "end": word.end, "confidence": word.confidence}
        for each in heard.segments
        for word in each.words
    ]
    assert form(client, "file", ("words", "true")).json()["words"] == expected
    verbose = form(client, ("format", "verbose_json"), "file").json()
    assert [word for each in verbose["segments"] for word in each["words"]] == expected


def test_dandas(client, heard):
    reply = form(client, "file", ("punctuate", "pauses")).json()
    assert (reply["text"], reply["raw_text"]) == (f"{heard.text}।", heard.text)


@pytest.mark.parametrize(
    ("fields", "query", "said"),
    [
        ((("format", "docx"),), None, "format: 'docx' is not taken; what is: json"),
        ((("colour", "red"),), None, "colour: there is no such field"),
        ((("format", "srt"),), {"format": "vtt"}, "format: given twice"),
        ((("words", "true"),), {"format": "text"}, "words: "),
        ((("language", "ta"),), None, "language: 'ta' is not taken; hi-demo hears hi"),
        ((), {"wrods": "true"}, "wrods: there is no such field"),
    ],
)
def test_what_is_not_taken(client, fields, query, said):
    for reply in (form(client, "file", *fields, query=query), form(client, *fields, "file", query=query)):
        assert (reply.status_code, reply.json()["type"]) == (400, "/problems/invalid-request")
        assert reply.json()["detail"].startswith(said)


def test_a_form_of_texts_without_end(client):
    reply = form(client, ("model", "x" * 70_000), "file")
    assert (reply.status_code, reply.json()["type"]) == (400, "/problems/bad-request")
