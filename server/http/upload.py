"""The audio of a request: multipart field `file`, or the raw body."""

from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException

from server.errors import BadRequest, MissingAudio

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


async def read_audio(request: Request) -> bytes:
    """Return the bytes of the audio, whose number the middleware has limited.

    The content type only tells the two forms apart; what the bytes are is found out from the bytes.
    Raises MissingAudio where there are none, BadRequest where the form is malformed.
    """
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        data = await _read_form(request)
    else:
        data = await request.body()
        if not data:
            raise MissingAudio(f"the body is empty: send the audio itself, or multipart/form-data with '{_FIELD}'")
    return data


async def _read_form(request: Request) -> bytes:
    try:
        async with request.form(max_files=1, max_fields=16) as form:
            field = form.get(_FIELD)
            if not isinstance(field, UploadFile):
                raise MissingAudio(f"the form has no file in its field '{_FIELD}': curl -F {_FIELD}=@speech.wav ...")
            data = await field.read()
    except MultiPartException as error:
        raise BadRequest(error.message) from error
    if not data:
        raise MissingAudio(f"the file in the field '{_FIELD}' is empty")
    return data
