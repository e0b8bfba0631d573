"""Refusals at the door: at several times capacity most requests end here, at the expense of those that are served."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial

from starlette.requests import Request
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from server.errors import ServerError, answer_expected
from server.middleware import record_request, request_id_of

_TOLD_EVERY_SECONDS = 0.25


class EarlyRefusal:
    """Answers 429 in front of FastAPI, and before the body is read, where its size would make no difference.

    What was refused is logged and counted a moment later, together: for one request alone that would take longer than
    all the rest, on processors whose caches are full of the lanes' work.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._routes = {route.path: route for route in routes if isinstance(route, Route)}
        self._untold: list[Callable[[], None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        route = self._routes.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if route is None or not await self._refused(scope, receive, send, route):
            await self._app(scope, receive, send)
        if scope["type"] == "lifespan":
            self._tell()

    async def _refused(self, scope: Scope, receive: Receive, send: Send, route: Route) -> bool:
        started = time.perf_counter()
        request = Request(scope)
        try:
            request.state.transcriber.refuse_overload(request)
        except ServerError as error:
            request_id = request.state.request_id = request_id_of(request.headers)
            response = await answer_expected(request, error)
            response.headers["X-Request-ID"] = request_id
            await response(scope, receive, send)
            scope["route"] = route  # as the router would have set it, for the metrics
            seconds = time.perf_counter() - started
            self._tell_later(partial(record_request, scope, response.status_code, seconds, {"request_id": request_id}))
            return True
        return False

    def _tell_later(self, record: Callable[[], None]) -> None:
        if not self._untold:
            asyncio.get_running_loop().call_later(_TOLD_EVERY_SECONDS, self._tell)
        self._untold.append(record)

    def _tell(self) -> None:
        untold, self._untold = self._untold, []
        for record in untold:
            record()
