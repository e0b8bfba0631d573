"""What the APIs have in common: a request → its audio and parameters → a transcript, rendered off the loop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from fastapi import Request

from inference.types import Transcript
from server import telemetry, tracing
from server.http.disconnect import unless_disconnected
from server.http.upload import read_audio
from server.parameters import Field, Parameters, read
from server.streaming import OnSegments
from server.transcription import Caller, Transcription

Given: TypeAlias = dict[str, tuple[str, ...]]

_LONG = 60.0  # seconds of audio whose words take milliseconds to be put into cues


@dataclass(frozen=True, slots=True)
class TranscriptionRequest:
    """A request whose body has been read."""

    given: Given
    """Its parameters as they were written."""
    parameters: Parameters
    transcribe: Callable[[OnSegments], Coroutine[Any, Any, Transcript]]
    """As `Transcription.transcribe` does it."""


@asynccontextmanager
async def read_request(
    request: Request, fields: Mapping[str, Field], understand: Callable[[Given], Parameters]
) -> AsyncIterator[TranscriptionRequest]:
    """Read a request; its audio is there as long as the context lasts.

    Raises what `read_audio`, `read` and `understand` raise, and UnknownModel.
    """
    state = request.state
    transcription: Transcription = state.transcription
    query = request.query_params.multi_items()
    read(fields, query)  # what is wrong there costs nobody an upload
    texts = {*fields, *(name.removesuffix("[]") for name in fields)}
    async with AsyncExitStack() as held:
        with tracing.timed("receive"):
            audio, form = await held.enter_async_context(read_audio(request, state.spool, texts))
        given = read(fields, [*query, *form])
        parameters = understand(given)
        telemetry.note_model(request.state.log_fields, transcription.package(parameters.options.model).name)
        caller = Caller(state.principal, state.meter, state.patience)
        yield TranscriptionRequest(
            given, parameters, lambda on_segments: transcription.transcribe(audio, caller, parameters, on_segments)
        )


async def transcribe_request(request: Request, wanted: TranscriptionRequest) -> Transcript:
    """Transcribe the audio; raise what `Transcription.transcribe` raises, and ClientDisconnect."""
    transcript = await unless_disconnected(request.receive, wanted.transcribe(lambda _: None))
    telemetry.note(request.state.log_fields, transcript)
    return transcript


async def rendered(transcript: Transcript, render: Callable[[], str]) -> str:
    """Return what `render` makes of a transcript, in a thread where it is long."""
    return await asyncio.to_thread(render) if transcript.duration > _LONG else render()
