"""Pure ASGI: request ids, the size limit, and one log line and one count for each request."""

import os
import re
import time

from loguru import logger
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server import metrics
from server.errors import BodyTooLarge, answer_unexpected

_ACCEPTABLE_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)
_QUIET_ROUTES = {"/healthz", "/readyz", "/metrics"}  # asked every few seconds by machines
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
        request_id = request_id_of(scope)
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
            await send(message)

        await self._app(scope, limited_receive, closing_send)


def request_id_of(scope: Scope) -> str:
    """The client's own, where it is acceptable, or a new one."""
    offered: str = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    return offered if _ACCEPTABLE_ID.fullmatch(offered) else os.urandom(16).hex()


def _record(scope: Scope, status: int, seconds: float, log_fields: dict[str, object]) -> None:
    """Log and count a request that has been answered."""
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
