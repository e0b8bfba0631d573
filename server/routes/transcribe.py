"""`POST /transcribe`."""

from typing import Any

from fastapi import APIRouter, Request

from server.http.upload import REQUEST_BODY, read_audio
from server.schemas import Problem, Processing, TranscriptionReply
from server.transcription import Transcriber

router = APIRouter(tags=["transcription"])

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": meaning,
        "content": {"application/problem+json": {"schema": Problem.model_json_schema()}},
    }
    for status, meaning in {
        400: "A malformed form or header",
        413: "The body is too large",
        415: "A codec that is not taken",
        422: "No audio, or audio that cannot be used",
        429: "At capacity; see Retry-After",
        500: "The recogniser failed; the log has the cause",
        503: "The worker is shutting down",
        504: "The deadline passed",
    }.items()
}


@router.post("/transcribe", responses=_PROBLEMS, openapi_extra={"requestBody": REQUEST_BODY})
async def transcribe(request: Request) -> TranscriptionReply:
    """Turn speech into text: the audio as multipart field `file`, or as the raw body."""
    transcriber: Transcriber = request.state.transcriber
    transcribed = await transcriber.transcribe(request, await read_audio(request))
    transcript = transcribed.completed.transcript
    timings = transcript.timings
    return TranscriptionReply(
        text=transcript.text,
        language=transcript.language,
        model=transcript.model,
        duration=transcript.duration,
        clipped=transcript.clipped,
        processing=Processing(
            queue=transcribed.completed.queue_seconds,
            decode=timings.decode,
            features=timings.features,
            inference=timings.inference,
            decoding=timings.decoding,
            total=transcribed.total_seconds,
        ),
        request_id=request.state.request_id,
    )
