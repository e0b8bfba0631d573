"""Pure ASGI: request ids, the size limit, and one log line and one count for each request."""

import re
import time
import uuid

import anyio
from loguru import logger
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server import metrics
from server.errors import PROBLEMS, BodyTooLarge, problem_response

_ACCEPTABLE_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)
_QUIET_ROUTES = {"/healthz", "/readyz", "/metrics"}  # asked every few seconds by machines
_LINGER_SECONDS = 2.0


class RequestContext:
    """Gives each request its id, in the reply, in every log line and in `request.state`; then logs and counts it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope))
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 499  # what is left where the client went away before any answer

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        with logger.contextualize(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            finally:
                _record(scope, status, time.perf_counter() - started)


class BodyLimit:
    """Answers 413 as soon as a body is known to be too large, and does not read it to its end."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdigit() and int(announced) > self._limit:
            await self._refuse(scope, receive, send)
            return
        received = 0

        async def counted_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise BodyTooLarge(f"more than {self._limit} bytes")
            return message

        try:
            await self._app(scope, counted_receive, send)
        except BodyTooLarge:  # raised while the route was still reading: nothing has been answered yet
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        metrics.REJECTED.labels("too_large").inc()
        detail = f"more than {self._limit} bytes; the limit is set by ASR_MAX_UPLOAD_MB"
        response = problem_response(PROBLEMS[BodyTooLarge], detail, scope["state"]["request_id"])
        response.headers["Connection"] = "close"

        async def lingering_send(message: Message) -> None:
            if message["type"] == "http.response.body":
                # Closing on a client that still sends resets the connection and may take the answer with it:
                # hand the answer over, then listen for a moment, keeping nothing.
                await send({**message, "more_body": True})
                await _drain(receive)
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        await response(scope, receive, lingering_send)


async def _drain(receive: Receive) -> None:
    with anyio.move_on_after(_LINGER_SECONDS):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect" or not message.get("more_body"):
                return


def _request_id(headers: Headers) -> str:
    offered = headers.get("x-request-id", "")
    return offered if _ACCEPTABLE_ID.fullmatch(offered) else uuid.uuid4().hex


def _record(scope: Scope, status: int, seconds: float) -> None:
    # The route's pattern, never the path: a label for each of a stranger's paths would fill the memory.
    route = getattr(scope.get("route"), "path", "unmatched")
    metrics.REQUESTS.labels(route, scope["method"], status).inc()
    metrics.REQUEST_SECONDS.labels(route).observe(seconds)
    level = "DEBUG" if route in _QUIET_ROUTES else "INFO"
    client = scope["client"][0] if scope.get("client") else None
    logger.bind(
        method=scope["method"], path=scope["path"], status=status, seconds=round(seconds, 4), client=client
    ).log(level, "request")
