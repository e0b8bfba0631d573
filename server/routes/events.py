"""A transcription as server-sent events, as OpenAI's API streams it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from loguru import logger
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from inference.errors import InferenceError
from inference.types import Segment
from server import telemetry
from server.errors import ServerError
from server.http.disconnect import unless_disconnected
from server.http.problems import problem_response
from server.streaming import SegmentStream

_QUIET_SECONDS = 2.0  # until a comment is sent: of a client that has gone nothing is heard unless it is sent something
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}  # nginx would keep events until it has many


class TranscriptEvents(Response):
    """`transcript.text.delta` for each window, then `transcript.text.done`; or `error` for what goes wrong on the way.

    Whatever becomes of it, and when the client leaves, `held` is closed.
    """

    media_type = "text/event-stream"

    def __init__(self, stream: SegmentStream, first: Sequence[Segment] | None, held: AsyncExitStack) -> None:
        """`first` are the segments that have come, None where all have."""
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._stream = stream
        self._first = first
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI; raises ClientDisconnect."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await unless_disconnected(receive, self._send_events(scope, send))
        finally:
            await self._held.aclose()

    async def _send_events(self, scope: Scope, send: Send) -> None:
        async def tell(event: str) -> None:
            await send({"type": "http.response.body", "body": event.encode(), "more_body": True})

        beating = asyncio.create_task(_beat(tell))
        try:
            if self._first:
                await tell(_delta(self._first, ""))
                async for segments in self._stream:
                    await tell(_delta(segments, " "))
            transcript = self._stream.transcript
            scope["state"]["log_fields"].update(telemetry.log_fields(transcript))
            languages = [{"code": transcript.language}]
            await tell(_event({"type": "transcript.text.done", "text": transcript.text, "languages": languages}))
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - the client is told of a bug too
            if not isinstance(error, (ServerError, InferenceError)):
                logger.opt(exception=error).error("unexpected error")
            problem = problem_response(error, scope["state"]["request_id"], scope["path"])
            scope["state"]["log_fields"]["failed"] = problem.status_code
            await tell(f"event: error\ndata: {bytes(problem.body).decode()}\n\n")
        finally:
            beating.cancel()
        await send({"type": "http.response.body", "body": b""})


async def _beat(tell: Callable[[str], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(_QUIET_SECONDS)
        await tell(": still at it\n\n")


def _delta(segments: Iterable[Segment], before: str) -> str:
    text = " ".join(segment.text for segment in segments if segment.text)
    return _event({"type": "transcript.text.delta", "delta": before + text})


def _event(content: dict[str, Any]) -> str:
    return f"data: {json.dumps(content, ensure_ascii=False, separators=(',', ':'))}\n\n"
