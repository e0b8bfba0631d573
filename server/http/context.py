"""The outermost middleware: request ids, one log line and one count for each request, an answer to what is raised."""

import asyncio
import os
import random
import re
import time
from typing import Any

from loguru import logger
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server import metrics, tracing
from server.audit import AuditLog
from server.correlation import correlated
from server.errors import ENDED, ServerError, ShuttingDown
from server.http.problems import problem_of, problem_response, reasons_of
from server.http.under_way import UnderWay

_ACCEPTABLE_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)
_SECRET = re.compile(r"(asr_[0-9a-f]{12})_[0-9a-f]{16,}|((?<![\w-])[\w-]{7,})\.eyJ[\w-]+\.[\w-]*")
"""A key or a token, where somebody has put it into a path or an id."""
QUIET_ROUTES = {"/healthz", "/readyz", "/metrics"}
"""Asked every few seconds by machines: neither logged, but for debugging, nor traced."""
_CLIENT_GONE = 499  # nginx's number for it
_AT_CAPACITY = {429, 503, 507}


class RequestContext:
    """Gives each request its id, in the reply, in every log line and in `request.state`; then logs and counts it.

    Whatever a route puts into `request.state.log_fields` stands in that line too: one line says all of a request.
    Middleware further in may raise what `server/http/problems.py` has an answer to.
    """

    def __init__(
        self, app: ASGIApp, audit: AuditLog | None = None, sample: float = 1.0, under_way: UnderWay | None = None
    ) -> None:
        """`sample` is the share of served requests that have a line; `under_way` learns of each request's task."""
        self._app = app
        self._under_way = under_way or UnderWay()
        self._audit = audit
        self._sample = sample

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._under_way.add(asyncio.current_task())
        request_id = request_id_of(scope)
        log_fields: dict[str, Any] = {}
        scope.setdefault("state", {}).update(request_id=request_id, log_fields=log_fields)
        started = time.perf_counter()
        status = _CLIENT_GONE  # until there is an answer
        tracing.identify(request_id, _path(scope), query=bool(scope.get("query_string")))
        own_fields = {"X-Request-ID": request_id, **tracing.response_fields()}

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(own_fields)
            elif not message.get("more_body"):  # the span ends with it
                _describe(status, log_fields)
            await send(message)

        with correlated({"request_id": request_id, **tracing.ids()}):
            try:
                await self._app(scope, receive, send_with_id)
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - a bug must not cost the client its answer
                reported = _reportable(error)
                _note(reported, log_fields, late=status != _CLIENT_GONE)
                if status == _CLIENT_GONE and not isinstance(reported, ClientDisconnect):
                    await problem_response(reported, request_id, scope["path"])(scope, receive, send_with_id)
            finally:
                seconds = time.perf_counter() - started
                _describe(status, log_fields)
                self._record(scope, status, seconds, log_fields)
                if self._audit and _route(scope) not in QUIET_ROUTES:
                    self._audit.write(_audited(scope, status, seconds, log_fields))

    def _record(self, scope: Scope, status: int, seconds: float, log_fields: dict[str, Any]) -> None:
        """Count a request by the status that was due, whatever had been sent, and log it."""
        route = _route(scope)
        due = log_fields.get("failed", status)
        outcome = outcome_of(due)
        metrics.REQUESTS.labels(route, scope["method"], due).inc()
        metrics.REQUEST_SECONDS.labels(route, outcome).observe(seconds, tracing.exemplar())
        if outcome == "served" and self._sample < 1:
            if random.random() >= self._sample:  # noqa: S311 - nobody's secret
                return
            log_fields["sample"] = self._sample  # so that whoever counts lines can make good for the others
        principal = scope["state"].get("principal")
        logger.bind(
            method=scope["method"],
            path=_path(scope),
            status=status,
            seconds=round(seconds, 4),
            client=principal and principal.name,
            **log_fields,
        ).log("DEBUG" if route in QUIET_ROUTES else "INFO", "request")


def request_id_of(scope: Scope) -> str:
    """The client's own, where it is acceptable, or a new one."""
    offered: str = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    return offered if _ACCEPTABLE_ID.fullmatch(offered) and not _SECRET.search(offered) else new_request_id()


def new_request_id() -> str:
    """32 hexadecimal digits that nobody has had."""
    return os.urandom(16).hex()


def outcome_of(status: int) -> str:
    """How a request ended: `served`; `refused`, no room or a limit; `rejected`, its own fault; `failed`; `gone`."""
    if status == _CLIENT_GONE:
        return "gone"
    if status in _AT_CAPACITY:
        return "refused"
    return "served" if status < 400 else "rejected" if status < 500 else "failed"


def _note(error: Exception, log_fields: dict[str, Any], *, late: bool) -> None:
    """Say in the log line what went wrong; where it is too `late` for a status of its own, which one was due."""
    if isinstance(error, ClientDisconnect):
        due = _CLIENT_GONE
    else:
        due = (problem := problem_of(error)).status
        log_fields.update(reasons_of(error), problem=problem.slug)
    if late:
        log_fields["failed"] = due


def _describe(status: int, log_fields: dict[str, Any]) -> None:
    """Say in the span, if it has not ended, how the request did."""
    tracing.describe({"outcome": outcome_of(log_fields.get("failed", status)), "problem": log_fields.get("problem")})


def _reportable(error: Exception | asyncio.CancelledError) -> Exception:
    """What the client gets an answer for, if it is there; a bug is logged."""
    if isinstance(error, asyncio.CancelledError):  # only where the grace of a worker that ends is over
        return ShuttingDown(ENDED)
    if not isinstance(error, ServerError | HTTPException | ClientDisconnect):
        logger.opt(exception=error).error("unexpected error")
    return error


def _route(scope: Scope) -> str:
    """Its pattern, never the path: a label for each of a stranger's paths would fill the memory."""
    return getattr(scope.get("route"), "path", "unmatched")


def _path(scope: Scope) -> str:
    """As logs may have it."""
    return _SECRET.sub(r"\1\2…", scope["path"])


def _audited(scope: Scope, status: int, seconds: float, log_fields: dict[str, Any]) -> dict[str, object]:
    """Who did what, how much, and how it ended."""
    state = scope["state"]
    principal = state.get("principal")
    return {
        "request_id": state["request_id"],
        "principal": principal and principal.id,
        "name": principal and principal.name,
        "kind": principal and principal.kind,
        "address": state.get("address"),
        "method": scope["method"],
        "path": _path(scope),
        "status": status,
        "outcome": outcome_of(log_fields.get("failed", status)),
        "reason": log_fields.get("reason"),
        "key": log_fields.get("key"),
        "seconds": round(seconds, 4),
        "model": log_fields.get("model"),
        "audio_seconds": log_fields.get("heard", 0),
    }
