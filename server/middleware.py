"""Pure ASGI: request ids, early refusal, the size limit, and one log line and one count for each request."""

import re
import time
import uuid
from collections.abc import Sequence

import anyio
from loguru import logger
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server import metrics
from server.errors import BodyTooLarge, ServerError, answer_expected, answer_unexpected

_ACCEPTABLE_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)
_QUIET_ROUTES = {"/healthz", "/readyz", "/metrics"}  # asked every few seconds by machines
_LINGER_SECONDS = 2.0
_CLIENT_GONE = 499  # nginx's number for it


class RequestContext:
    """Gives each request its id, in the reply, in every log line and in `request.state`; then logs and counts it.

    Whatever a route puts into `request.state.log_fields` stands in that line too: one line tells all of a request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope))
        log_fields: dict[str, object] = {}
        scope.setdefault("state", {}).update(request_id=request_id, log_fields=log_fields)
        started = time.perf_counter()
        status = _CLIENT_GONE  # until there is an answer

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        with logger.contextualize(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            except ClientDisconnect:
                pass  # nobody is left to be answered
            except Exception as error:  # noqa: BLE001 - the last resort: a bug must not cost the client its answer
                logger.opt(exception=error).error("unexpected error")
                if status == _CLIENT_GONE:
                    await answer_unexpected(request_id)(scope, receive, send_with_id)
            finally:
                _record(scope, status, time.perf_counter() - started, log_fields)


class EarlyRefusal:
    """Answers 429 before routing and before the body is read, where its size would make no difference.

    At several times capacity most requests end here, and what they cost is taken from those that are served.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._routes = {route.path: route for route in routes if isinstance(route, Route)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        route = self._routes.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if route is not None:
            request = Request(scope)
            try:
                request.state.transcriber.refuse_overload(request)
            except ServerError as error:
                scope["route"] = route  # as the router would have set it, for the metrics
                await (await answer_expected(request, error))(scope, receive, send)
                return
        await self._app(scope, receive, send)


class BodyLimit:
    """Raises BodyTooLarge into whoever reads a body over the limit, and does not let it be read to its end."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        received = int(announced) if announced.isdigit() and int(announced) > self._limit else 0
        refused = False

        async def limited_receive() -> Message:
            nonlocal received, refused
            message: Message = {}
            if received <= self._limit:
                message = await receive()
                received += len(message.get("body", b""))
            if received > self._limit:
                refused = True
                metrics.REJECTED.labels("too_large").inc()
                raise BodyTooLarge(f"more than {self._limit} bytes; ASR_MAX_UPLOAD_MB sets the limit")
            return message

        async def closing_send(message: Message) -> None:
            if refused and message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
            if refused and message["type"] == "http.response.body" and not message.get("more_body"):
                # Closing on a client that still sends resets the connection and may take the answer with it:
                # hand the answer over, then listen for a moment, keeping nothing.
                await send({**message, "more_body": True})
                await _drain(receive)
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        await self._app(scope, limited_receive, closing_send)


async def _drain(receive: Receive) -> None:
    with anyio.move_on_after(_LINGER_SECONDS):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect" or not message.get("more_body"):
                return


def _request_id(headers: Headers) -> str:
    offered = headers.get("x-request-id", "")
    return offered if _ACCEPTABLE_ID.fullmatch(offered) else uuid.uuid4().hex


def _record(scope: Scope, status: int, seconds: float, log_fields: dict[str, object]) -> None:
    # The route's pattern, never the path: a label for each of a stranger's paths would fill the memory.
    route = getattr(scope.get("route"), "path", "unmatched")
    metrics.REQUESTS.labels(route, scope["method"], status).inc()
    metrics.REQUEST_SECONDS.labels(route).observe(seconds)
    level = "DEBUG" if route in _QUIET_ROUTES else "INFO"
    client = scope["client"][0] if scope.get("client") else None
    logger.bind(
        method=scope["method"],
        path=scope["path"],
        status=status,
        seconds=round(seconds, 4),
        client=client,
        **log_fields,
    ).log(level, "request")
