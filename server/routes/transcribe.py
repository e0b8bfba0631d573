"""`POST /transcribe`."""

from collections import defaultdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from inference.types import Channels, Decoding, Options
from server import telemetry
from server.http.disconnect import unless_disconnected
from server.http.problems import INVALID, NEVER_SENT, PROBLEMS, UNEXPECTED
from server.http.upload import REQUEST_BODY, read_audio
from server.schemas import Problem, TranscriptionReply
from server.transcription import Transcription

router = APIRouter(tags=["transcription"])


def _responses() -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of failures, by status: all titles of the one table."""
    content = {"application/problem+json": {"schema": Problem.model_json_schema()}}
    sent = [row for error, row in PROBLEMS.items() if error not in NEVER_SENT]
    titles: defaultdict[int, list[str]] = defaultdict(list)
    for row in (*sent, INVALID, UNEXPECTED):
        titles[row.status].append(row.title)
    return {status: {"description": "; ".join(titles[status]), "content": content} for status in sorted(titles)}


@router.post("/transcribe", responses=_responses(), openapi_extra={"requestBody": REQUEST_BODY})
async def transcribe(
    request: Request,
    model: Annotated[str, Query(description="One that `GET /v1/models` lists; `ASR_MODEL` where none is named.")] = "",
    decoding: Annotated[
        Decoding, Query(description="`auto` takes the language model where the package has one.")
    ] = "auto",
    channels: Annotated[
        str,
        Query(
            pattern=r"^(mix|separate|\d{1,2}(,\d{1,2}){0,31})$",
            description="`mix`: all as one; `separate`: each apart, its segments with its number; or the numbers, from "
            "0, of those to hear apart, such as `0,1`.",
        ),
    ] = "mix",
) -> TranscriptionReply:
    """Turn speech into text: the audio as multipart field `file`, or as the raw body."""
    state = request.state
    transcription: Transcription = state.transcription
    options = Options(model, decoding, channels=_channels(channels))
    async with read_audio(request, state.spool) as audio:
        work = transcription.transcribe(audio, state.principal, options, state.patience)
        transcript = await unless_disconnected(request.receive, work)
    state.log_fields.update(telemetry.log_fields(transcript))
    return TranscriptionReply.of(transcript, state.request_id)


def _channels(wish: str) -> Channels:
    match wish:
        case "mix" | "separate":
            return wish
        case numbers:
            return tuple(dict.fromkeys(map(int, numbers.split(","))))
