"""What the APIs have in common: a request's audio and wishes → what was heard; and a rendering of it, off the loop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from fastapi import Request

from inference.types import Transcript
from server import telemetry
from server.http.disconnect import unless_disconnected
from server.http.upload import read_audio
from server.streaming import OnSegments
from server.transcription import Transcription
from server.wishes import Field, Wishes, read

Given: TypeAlias = dict[str, tuple[str, ...]]

_LONG = 60.0  # seconds of audio whose words take milliseconds to be put into cues


@dataclass(frozen=True, slots=True)
class Asked:
    """A request whose body has been read."""

    given: Given
    """Its wishes as they were written."""
    wishes: Wishes
    transcribe: Callable[[OnSegments], Coroutine[Any, Any, Transcript]]
    """As `Transcription.transcribe` does it."""


@asynccontextmanager
async def asked(
    request: Request, fields: Mapping[str, Field], understand: Callable[[Given], Wishes]
) -> AsyncIterator[Asked]:
    """Read a request; its audio is there as long as the context lasts.

    Raises what `read_audio`, `read` and `understand` raise.
    """
    state = request.state
    transcription: Transcription = state.transcription
    query = request.query_params.multi_items()
    read(fields, query)  # what is wrong there costs nobody an upload
    texts = {*fields, *(name.removesuffix("[]") for name in fields)}
    async with read_audio(request, state.spool, texts) as (audio, form):
        given = read(fields, [*query, *form])
        wishes = understand(given)
        yield Asked(
            given,
            wishes,
            lambda on_segments: transcription.transcribe(audio, state.principal, wishes, state.patience, on_segments),
        )


async def heard(request: Request, question: Asked) -> Transcript:
    """Transcribe the audio; raise what `Transcription.transcribe` raises, and ClientDisconnect."""
    transcript = await unless_disconnected(request.receive, question.transcribe(lambda _: None))
    request.state.log_fields.update(telemetry.log_fields(transcript))
    return transcript


async def rendered(transcript: Transcript, render: Callable[[], str]) -> str:
    """Return what `render` makes of a transcript, in a thread where it is long."""
    return await asyncio.to_thread(render) if transcript.duration > _LONG else render()
