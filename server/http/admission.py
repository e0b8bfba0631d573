"""Admission by the head alone: whoever is to be refused need not send its body."""

import math
from collections.abc import Iterable
from typing import Protocol

from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from server.errors import BadRequest
from server.principal import Principal


class Refuses(Protocol):
    """Who knows what stands before a request."""

    def refuse_overload(self, principal: Principal, patience: float) -> object:
        """Raise Overloaded where this principal would wait too long."""


class Admission:
    """Raises Overloaded into the middleware around it, before the routes hear of a request or any of its body is read.

    It covers the POST requests of `routes`, finds what they are measured against in `scope["state"]["transcription"]`,
    and puts there how many seconds the client waits (`patience`).
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._routes = [route for route in routes if isinstance(route, Route)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and scope["method"] == "POST" and (route := self._route(scope["path"])):
            state = scope["state"]
            scope["route"] = route  # for the log line and the count of what goes no further
            state["patience"] = patience_of(scope)
            transcription: Refuses = state["transcription"]
            transcription.refuse_overload(state["principal"], state["patience"])
        await self._app(scope, receive, send)

    def _route(self, path: str) -> Route | None:
        """As the router finds it, to whom a line feed more is the same path."""
        return next((route for route in self._routes if route.path_regex.match(path)), None)


def patience_of(scope: Scope) -> float:
    """Seconds that the client waits by its own word, `X-Request-Timeout`; infinite where it says none.

    Raises BadRequest where that is no positive number.
    """
    header: bytes | None = dict(scope["headers"]).get(b"x-request-timeout")
    if header is None:
        return math.inf
    try:
        seconds = float(header)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < math.inf:
        raise BadRequest(f"X-Request-Timeout: {header.decode('latin-1')!r} is not a positive number of seconds")
    return seconds
