"""Refusals at the door: at several times capacity most requests end here, at the expense of those that are served."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Scope

from server.errors import ServerError, expected_response
from server.middleware import record_request, request_id_of
from server.transcriber import Transcriber

_TOLD_EVERY_SECONDS = 0.25


class Door:
    """Answers 429 by a request's head alone, before the application hears of it, where its size makes no difference.

    What was refused is logged and counted a moment later, together: for one request alone that would take longer than
    all the rest, on processors whose caches are full of the lanes' work.
    """

    def __init__(self, transcriber: Transcriber, routes: Sequence[BaseRoute]) -> None:
        self._transcriber = transcriber
        self._routes = {route.path: route for route in routes if isinstance(route, Route)}
        self._untold: list[Callable[[], None]] = []

    def refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a request that is not let in."""
        route = self._routes.get(scope["path"]) if scope["method"] == "POST" else None
        if route is None:
            return None
        started = time.perf_counter()
        request = Request(scope)
        try:
            self._transcriber.refuse_overload(request)
        except ServerError as error:
            request_id = request_id_of(request.headers)
            response = expected_response(error, request_id)
            response.headers["X-Request-ID"] = request_id
            scope["route"] = route  # as the router would have set it, for the metrics
            seconds = time.perf_counter() - started
            self._tell_later(partial(record_request, scope, response.status_code, seconds, {"request_id": request_id}))
            return response
        return None

    def close(self) -> None:
        """Tell what has not been told."""
        untold, self._untold = self._untold, []
        for record in untold:
            record()

    def _tell_later(self, record: Callable[[], None]) -> None:
        if not self._untold:
            asyncio.get_running_loop().call_later(_TOLD_EVERY_SECONDS, self.close)
        self._untold.append(record)
