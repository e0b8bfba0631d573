"""Forms: however they are cut into pieces, the same field comes out; whatever is no whole form is refused."""

import pytest

from server.errors import BadRequest, MissingAudio
from server.http.multipart import Form

TYPE = "multipart/form-data; boundary=B"
CONTENT = b"\r\n--C\r\n\r\n-\r\n--\r\n--A\r\n" + bytes(range(256))  # all but the boundary


def part(content, disposition='form-data; name="file"', more=b""):
    return b"--B\r\nContent-Disposition: " + disposition.encode() + b"\r\n" + more + b"\r\n" + content + b"\r\n"


def content_of(body, step=None, content_type=TYPE):
    pieces = []
    form = Form(content_type, "file", pieces.append)
    for start in range(0, len(body), step or len(body) or 1):
        form.feed(body[start : start + (step or len(body))])
    form.finish()
    return b"".join(pieces)


@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 1000])
def test_however_it_is_cut(step):
    other = part(b"hi", 'form-data; name="model"')
    body = b"preamble\r\n" + other + part(CONTENT, more=b"Content-Type: audio/wav\r\n") + other + b"--B--\r\nepilogue"
    assert content_of(body.removeprefix(b"preamble\r\n"), step) == CONTENT


@pytest.mark.parametrize(
    "disposition",
    [
        "form-data; name=file",
        'form-data; name="file"; filename="a;b\\"c.wav"',
        "form-data; filename*=utf-8''%E0%A4%A8.wav; name=\"file\"",
        'FORM-DATA; Name="file"; FileName="न.wav"',
    ],
)
def test_a_part_is_what_its_name_says(disposition):
    assert content_of(part(CONTENT, disposition) + b"--B--") == CONTENT


def test_no_such_field():
    with pytest.raises(MissingAudio, match="'file'"):
        content_of(part(CONTENT, 'form-data; name="audio"') + b"--B--")


def test_an_empty_form():
    with pytest.raises((MissingAudio, BadRequest)):
        content_of(b"--B--\r\n")


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (part(CONTENT), "closing boundary"),
        (part(CONTENT)[:-3], "closing boundary"),
        (b"", "closing boundary"),
        (b"no form at all", "malformed"),
        (part(CONTENT) + part(CONTENT) + b"--B--", "more than one"),
        (part(CONTENT, "form-data") + b"--B--", "no name"),
        (b"--B\r\n\r\n" + CONTENT + b"\r\n--B--", "no name"),
        (part(b"", 'form-data; name="x"') * 130 + b"--B--", "more than 129"),
        (part(b"", more=b"X: " + b"1" * 100_000 + b"\r\n") + b"--B--", "malformed"),
        (part(b"", more=b"X: 1\r\n" * 1000) + b"--B--", "malformed"),
    ],
)
@pytest.mark.parametrize("step", [None, 5])
def test_what_is_no_whole_form(body, hint, step):
    with pytest.raises(BadRequest, match=hint):
        content_of(body, step)


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=", TYPE + "x" * 300])
def test_a_boundary_that_is_none(content_type):
    with pytest.raises(BadRequest):
        Form(content_type, "file", print)


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_fields_of_text_are_kept_in_any_order(step):
    model = part("हिंदी".encode(), 'form-data; name="model"')
    other = part(CONTENT, 'form-data; name="unknown"; filename="a.bin"')
    body = model + other + part(CONTENT) + model + b"--B--"
    pieces = []
    form = Form(TYPE, "file", pieces.append, texts={"model"})
    for start in range(0, len(body), step):
        form.feed(body[start : start + step])
    form.finish()
    assert b"".join(pieces) == CONTENT
    assert form.fields == [("model", "हिंदी"), ("unknown", ""), ("model", "हिंदी")]


def test_text_that_is_not_utf8():
    form = Form(TYPE, "file", print, texts={"model"})
    form.feed(part(b"\xff", 'form-data; name="model"') + b"--B--")
    with pytest.raises(BadRequest, match="UTF-8"):
        form.fields  # noqa: B018 - the property decodes
