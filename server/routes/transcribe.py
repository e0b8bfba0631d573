"""`POST /transcribe`."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from inference.types import Decoding, Options
from server import telemetry
from server.http.disconnect import unless_disconnected
from server.http.upload import REQUEST_BODY, read_audio
from server.schemas import Problem, TranscriptionReply
from server.transcription import Transcription

router = APIRouter(tags=["transcription"])

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": meaning,
        "content": {"application/problem+json": {"schema": Problem.model_json_schema()}},
    }
    for status, meaning in {
        400: "A malformed form or header",
        408: "The body did not arrive in time",
        413: "The body is too large",
        415: "A codec that is not taken",
        422: "No audio, or audio that cannot be used",
        429: "At capacity; see Retry-After",
        500: "The recogniser failed; the log has the cause",
        503: "The worker is shutting down",
        504: "The deadline passed",
        507: "The body cannot be stored",
    }.items()
}


@router.post("/transcribe", responses=_PROBLEMS, openapi_extra={"requestBody": REQUEST_BODY})
async def transcribe(
    request: Request,
    model: Annotated[str, Query(description="One that `GET /v1/models` lists; `ASR_MODEL` where none is named.")] = "",
    decoding: Annotated[
        Decoding, Query(description="`auto` takes the language model where the package has one.")
    ] = "auto",
) -> TranscriptionReply:
    """Turn speech into text: the audio as multipart field `file`, or as the raw body."""
    state = request.state
    transcription: Transcription = state.transcription
    async with read_audio(request, state.spool) as audio:
        work = transcription.transcribe(audio, state.principal, Options(model, decoding), state.patience)
        transcript = await unless_disconnected(request.receive, work)
    state.log_fields.update(telemetry.log_fields(transcript))
    return TranscriptionReply.of(transcript, state.request_id)
