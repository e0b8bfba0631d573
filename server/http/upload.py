"""The audio of a request: multipart field `file`, or the raw body."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import Request

from server.errors import MissingAudio
from server.http.multipart import FormField
from server.http.raw_audio import RawAudio
from server.http.spool import Spool, SpoolDirectory

_FIELD = "file"

# For OpenAPI, since the two forms of the body are read by hand.
REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": [_FIELD],
                "properties": {_FIELD: {"type": "string", "format": "binary", "description": "The audio."}},
            }
        },
        "audio/*": {"schema": {"type": "string", "format": "binary"}},
    },
}


@asynccontextmanager
async def read_audio(request: Request, directory: SpoolDirectory) -> AsyncIterator[bytes | Path]:
    """Give the bytes of the audio, or a file that is there as long as the context lasts.

    The content type distinguishes the two forms, and tells the format of sound without a header; what other bytes are
    is found out from the bytes. Raises MissingAudio where there are none, BadRequest where a form or a content type is
    malformed, UnsupportedCodec, StorageFailed.
    """
    directory.refuse_what_does_not_fit(_announced(request))
    spool = Spool(directory)
    sound = RawAudio(spool.append)
    try:
        content_type = request.headers.get("content-type", "")
        if content_type.partition(";")[0].strip().lower() == "multipart/form-data":
            form = FormField(content_type, _FIELD, sound.append, sound.describe)
            await _read(request, form.feed, spool)
            form.finish()
            nothing = f"the file in the field '{_FIELD}' is empty"
        else:
            sound.describe(content_type)
            await _read(request, sound.append, spool)
            nothing = f"the body is empty: send the audio itself, or multipart/form-data with '{_FIELD}'"
        sound.finish()
        if not spool.size:
            raise MissingAudio(nothing)
        yield await spool.finish()
    finally:
        spool.close()


def _announced(request: Request) -> int:
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() else 0


async def _read(request: Request, feed: Callable[[bytes], None], spool: Spool) -> None:
    async for chunk in request.stream():
        feed(chunk)
        await spool.drain()
