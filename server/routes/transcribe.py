"""`POST /transcribe`."""

from collections import defaultdict
from typing import Any

from fastapi import APIRouter, Request, Response

from server.formats.renderings import RENDERINGS
from server.http.problems import NEVER_SENT, PROBLEMS, UNEXPECTED
from server.http.upload import request_body
from server.parameters import PARAMETERS, Parameters
from server.routes.requests import Given, read_request, rendered, transcribe_request
from server.schemas import Problem, TranscriptionReply

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


def _responses() -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of answers, by status: every format, and all titles of the one table of failures."""
    texts: dict[str, Any] = {
        media_type.partition(";")[0]: {"schema": {"type": "string"}} for _, media_type in RENDERINGS.values()
    }
    content = {"application/problem+json": {"schema": Problem.model_json_schema()}}
    sent = [row for error, row in PROBLEMS.items() if error not in NEVER_SENT]
    titles: defaultdict[int, list[str]] = defaultdict(list)
    for row in (*sent, UNEXPECTED):
        titles[row.status].append(row.title)
    failures: dict[int | str, dict[str, Any]] = {
        status: {"description": "; ".join(titles[status]), "content": content} for status in sorted(titles)
    }
    return {200: {"content": texts}, **failures}


@router.post("/transcribe", response_model=TranscriptionReply, responses=_responses(), openapi_extra=_OPENAPI)
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
