"""The audio of a request: multipart field `file`, or the raw body."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import Request

from server.errors import MissingAudio
from server.http.multipart import FormField
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

    The content type only distinguishes the two forms; what the bytes are is found out from the bytes.
    Raises MissingAudio where there are none, BadRequest where the form is malformed, StorageFailed.
    """
    spool = Spool(directory)
    try:
        content_type = request.headers.get("content-type", "")
        if content_type.partition(";")[0].strip().lower() == "multipart/form-data":
            form = FormField(content_type, _FIELD, spool.append)
            await _read(request, form.feed, spool)
            form.finish()
            nothing = f"the file in the field '{_FIELD}' is empty"
        else:
            await _read(request, spool.append, spool)
            nothing = f"the body is empty: send the audio itself, or multipart/form-data with '{_FIELD}'"
        if not spool.size:
            raise MissingAudio(nothing)
        yield await spool.finish()
    finally:
        spool.close()


async def _read(request: Request, feed: Callable[[bytes], None], spool: Spool) -> None:
    async for chunk in request.stream():
        feed(chunk)
        await spool.drain()
