"""A transcription as server-sent events, as OpenAI's API streams it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from loguru import logger
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from inference.errors import InferenceError
from inference.types import Transcript
from server import telemetry
from server.errors import ENDED, ServerError, ShuttingDown
from server.formats.openai import text_delta, text_done, text_segment
from server.http.disconnect import unless_disconnected
from server.http.problems import problem_of, problem_response, reasons_of
from server.parameters import Parameters
from server.routes.requests import rendered
from server.streaming import SegmentStream

QUIET_SECONDS = 2.0
"""Until something is sent: proxies end what is silent, and of a client that has gone nothing is heard otherwise."""
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would keep events until it has many


class TranscriptEvents(Response):
    """For each window `transcript.text.delta`, and `transcript.text.segment` for each segment; `transcript.text.done`.

    Or `error`, for what goes wrong on the way. Whatever becomes of it, and when the client leaves, `held` is closed.
    """

    media_type = "text/event-stream"

    def __init__(self, stream: SegmentStream, parameters: Parameters, held: AsyncExitStack) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._stream = stream
        self._parameters = parameters
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI; raises ClientDisconnect."""
        async with self._held:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            try:
                await unless_disconnected(receive, self._send_events(scope, send))
            except asyncio.CancelledError:
                await send(
                    {"type": "http.response.body", "body": f"{_failure(ShuttingDown(ENDED), scope)}\n\n".encode()}
                )
                raise

    async def _send_events(self, scope: Scope, send: Send) -> None:
        async def tell(lines: str) -> None:
            await send({"type": "http.response.body", "body": f"{lines}\n\n".encode(), "more_body": True})

        beating, fields = asyncio.create_task(_beat(tell)), scope["state"]["log_fields"]
        try:
            told, logprobs = 0, self._parameters.logprobs
            async for segments in self._stream:
                written = [self._parameters.written_segment(each) for each in segments]
                events = [text_delta(written, first=not told, heard=segments if logprobs else None)]
                events += [text_segment(number, each) for number, each in enumerate(written, told)]
                await tell("\n\n".join(f"data: {event}" for event in events))
                told += len(written)
            heard = self._stream.transcript
            telemetry.note(fields, heard)
            await tell(f"data: {await rendered(heard, lambda: self._done(heard))}")
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - the client is told of a bug too
            if not isinstance(error, (ServerError, InferenceError)):
                logger.opt(exception=error).error("unexpected error")
            await tell(_failure(error, scope))
        finally:
            beating.cancel()
            if "heard" not in fields:
                telemetry.note_broken_off(fields, self._stream.told)
        await send({"type": "http.response.body", "body": b""})

    def _done(self, heard: Transcript) -> str:
        return text_done(self._parameters.written(heard), heard, logprobs=self._parameters.logprobs)


def _failure(error: Exception, scope: Scope) -> str:
    """The event for it, which the log line is told of too."""
    problem = problem_response(error, scope["state"]["request_id"], scope["path"])
    told_of = {"problem": problem_of(error).slug, **reasons_of(error)}
    scope["state"]["log_fields"].update(failed=problem.status_code, **told_of)
    return f"event: error\ndata: {bytes(problem.body).decode()}"


async def _beat(tell: Callable[[str], Awaitable[None]]) -> None:
    while True:
        await tell(": still at it")
        await asyncio.sleep(QUIET_SECONDS)
