"""`POST /transcribe`."""

from typing import Any

from fastapi import APIRouter, Request, Response

from server.formats.renderings import RENDERINGS, described
from server.http.upload import request_body
from server.parameters import PARAMETERS, Parameters
from server.routes.failures import failures
from server.routes.requests import Given, read_request, rendered, transcribe_request
from server.schemas import TranscriptionReply

router = APIRouter(tags=["transcription"])

_OPENAPI = {
    "parameters": [
        {"name": name, "in": "query", "required": False, "schema": field.schema, "description": field.meaning}
        for name, field in PARAMETERS.items()
    ],
    "requestBody": request_body(
        {name: {**field.schema, "description": field.meaning} for name, field in PARAMETERS.items()}
    ),
}


_PATH = "/transcribe"
_RESPONSES: dict[int | str, dict[str, Any]] = {200: {"content": described(RENDERINGS)}, **failures(_PATH, audio=True)}


@router.post(_PATH, response_model=TranscriptionReply, responses=_RESPONSES, openapi_extra=_OPENAPI)
async def transcribe(request: Request) -> Response:
    """Turn speech into text: the audio as multipart field `file`, or as the raw body."""
    async with read_request(request, PARAMETERS, _parameters) as wanted:
        parameters, transcript = wanted.parameters, await transcribe_request(request, wanted)
    if rendering := RENDERINGS.get(parameters.format):
        render, media_type = rendering
        return Response(
            await rendered(transcript, lambda: render(parameters.written(transcript))), media_type=media_type
        )

    def reply() -> str:
        return TranscriptionReply.of(transcript, request.state.request_id, parameters).model_dump_json(
            exclude_unset=True
        )

    return Response(await rendered(transcript, reply), media_type="application/json")


def _parameters(given: Given) -> Parameters:
    return Parameters.of({name: values[0] for name, values in given.items()})
