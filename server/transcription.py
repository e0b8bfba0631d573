"""One door to the pool for every route: audio in, Transcript out; recorded on the way."""

import asyncio
import time
from dataclasses import dataclass

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from server import metrics
from server.errors import BadRequest
from server.pool.backlog import Completed
from server.pool.pool import Pool


@dataclass(frozen=True, slots=True)
class Transcribed:
    """A transcript with the time that it took as a whole."""

    completed: Completed
    total_seconds: float
    """From the last byte of the request to the text."""


class Transcriber:
    """Hands audio to the pool, and watches the client meanwhile."""

    def __init__(self, pool: Pool, request_timeout: float) -> None:
        self._pool = pool
        self._request_timeout = request_timeout

    def refuse_overload(self, scope: Scope) -> None:
        """Raise Overloaded before the body of a request is read, where its size would make no difference."""
        self._pool.refuse_overload(*self._caller(scope))

    async def transcribe(self, request: Request, data: bytes) -> Transcribed:
        """Transcribe for the client of `request`, whose body has been read.

        Raises what Pool.transcribe raises, BadRequest for a malformed `X-Request-Timeout`, and ClientDisconnect
        where the client leaves, after having stopped its work.
        """
        started = time.perf_counter()
        work = asyncio.ensure_future(self._pool.transcribe(data, *self._caller(request.scope)))
        watch = asyncio.ensure_future(_disconnected(request))
        try:
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise ClientDisconnect
            transcribed = Transcribed(work.result(), time.perf_counter() - started)
        finally:
            work.cancel()
            watch.cancel()
            await asyncio.gather(work, return_exceptions=True)
        asyncio.get_running_loop().call_soon(_count, transcribed.completed)  # the answer goes first
        request.state.log_fields.update(_log_fields(transcribed.completed))
        return transcribed

    def _caller(self, scope: Scope) -> tuple[str, float]:
        """Who shares the machine with whom, an API key or an address; and the seconds that it waits."""
        headers = dict(scope["headers"])
        client = headers[b"authorization"].decode("latin-1") if b"authorization" in headers else ""
        if not client and scope["client"]:
            client = scope["client"][0]
        return client, self._patience(headers.get(b"x-request-timeout"))

    def _patience(self, header: bytes | None) -> float:
        """By the client's own header or the setting, whichever is sooner."""
        if header is None:
            return self._request_timeout
        try:
            seconds = float(header)
        except ValueError:
            seconds = -1.0
        if not 0 < seconds < float("inf"):
            raise BadRequest(f"X-Request-Timeout: {header.decode('latin-1')!r} is not a positive number of seconds")
        return min(seconds, self._request_timeout)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _stages(completed: Completed) -> dict[str, float]:
    """Seconds by stage, in their order."""
    timings = completed.transcript.timings
    return {
        "queue": completed.queue_seconds,
        "decode": timings.decode,
        "features": timings.features,
        "inference": timings.inference,
        "decoding": timings.decoding,
    }


def _count(completed: Completed) -> None:
    transcript = completed.transcript
    for stage, seconds in _stages(completed).items():
        metrics.STAGE_SECONDS.labels(stage).observe(seconds)
    metrics.AUDIO_DURATION_SECONDS.observe(transcript.duration)
    metrics.AUDIO_SECONDS.inc(transcript.duration)
    metrics.COMPUTE_SECONDS.inc(transcript.timings.total)


def _log_fields(completed: Completed) -> dict[str, object]:
    """What the request's log line tells of its transcription; never the text."""
    transcript = completed.transcript
    return {
        "model": transcript.model,
        "duration": round(transcript.duration, 3),
        "clipped": transcript.clipped,
        "characters": len(transcript.text),
        **{f"{stage}_seconds": round(seconds, 4) for stage, seconds in _stages(completed).items()},
    }
