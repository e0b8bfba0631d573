"""What the APIs have in common: a request's audio and wishes → what was heard; and a rendering of it, off the loop."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeAlias

from fastapi import Request

from inference.types import Transcript
from server import telemetry
from server.http.disconnect import unless_disconnected
from server.http.upload import read_audio
from server.transcription import Transcription
from server.wishes import Field, Wishes, read

Given: TypeAlias = dict[str, tuple[str, ...]]

_LONG = 60.0  # seconds of audio whose words take milliseconds to be put into cues


async def hear(
    request: Request, fields: Mapping[str, Field], understand: Callable[[Given], Wishes]
) -> tuple[Wishes, Transcript]:
    """Transcribe the audio of a request as its query and form wish for.

    Raises what `read_audio`, `read` and `Transcription.transcribe` raise, and ClientDisconnect.
    """
    state = request.state
    transcription: Transcription = state.transcription
    query = request.query_params.multi_items()
    read(fields, query)  # what is wrong there costs nobody an upload
    texts = {*fields, *(name.removesuffix("[]") for name in fields)}
    async with read_audio(request, state.spool, texts) as (audio, form):
        wishes = understand(read(fields, [*query, *form]))
        work = transcription.transcribe(audio, state.principal, wishes.options, state.patience, wishes.languages)
        transcript = await unless_disconnected(request.receive, work)
    state.log_fields.update(telemetry.log_fields(transcript))
    return wishes, transcript


async def rendered(transcript: Transcript, render: Callable[[], str]) -> str:
    """Return what `render` makes of a transcript, in a thread where it is long."""
    return await asyncio.to_thread(render) if transcript.duration > _LONG else render()
