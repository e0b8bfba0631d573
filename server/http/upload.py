"""The audio of a request, as multipart field `file` or the raw body, and the fields of text beside it."""

from collections.abc import AsyncIterator, Callable, Container, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import Request

from server.errors import MissingAudio
from server.http.multipart import Form
from server.http.raw_audio import RawAudio
from server.http.spool import Spool, SpoolDirectory

_FIELD = "file"


def request_body(texts: Mapping[str, Any]) -> dict[str, Any]:
    """Describe both forms of the body to OpenAPI, since they are read by hand; `texts` is name → schema."""
    file = {"type": "string", "format": "binary", "description": "The audio."}
    form = {"type": "object", "required": [_FIELD], "properties": {_FIELD: file, **texts}}
    return {
        "required": True,
        "content": {"multipart/form-data": {"schema": form}, "audio/*": {"schema": {"type": file["type"]}}},
    }


@asynccontextmanager
async def read_audio(
    request: Request, directory: SpoolDirectory, texts: Container[str] = ()
) -> AsyncIterator[tuple[bytes | Path, list[tuple[str, str]]]]:
    """Give the bytes of the audio, or a file that is there as long as the context lasts; and the form's other fields.

    Those are names and texts as they came; the text of a field is empty whose name is none of `texts`.
    The content type distinguishes the two forms of a body, and tells the format of sound without a header; what other
    bytes are is found out from the bytes. Raises MissingAudio where there are none, BadRequest where a form or a
    content type is malformed, UnsupportedCodec, StorageFailed.
    """
    directory.refuse_what_does_not_fit(_announced(request))
    spool = Spool(directory)
    sound = RawAudio(spool.append)
    fields: list[tuple[str, str]] = []
    try:
        content_type = request.headers.get("content-type", "")
        if content_type.partition(";")[0].strip().lower() == "multipart/form-data":
            form = Form(content_type, _FIELD, sound.append, sound.describe, texts)
            await _read(request, form.feed, spool)
            form.finish()
            fields = form.fields
            nothing = f"the file in the field '{_FIELD}' is empty"
        else:
            sound.describe(content_type)
            await _read(request, sound.append, spool)
            nothing = f"the body is empty: send the audio itself, or multipart/form-data with '{_FIELD}'"
        sound.finish()
        if not spool.size:
            raise MissingAudio(nothing)
        yield await spool.finish(), fields
    finally:
        spool.close()


def _announced(request: Request) -> int:
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() else 0


async def _read(request: Request, feed: Callable[[bytes], None], spool: Spool) -> None:
    async for chunk in request.stream():
        feed(chunk)
        await spool.drain()
