"""Refusals at the door: at several times capacity most requests end here, at the expense of those that are served."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loguru import logger
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Scope

from server import metrics
from server.errors import ServerError, expected_response
from server.http.caller import patience_of, principal_of
from server.http.context import request_id_of
from server.transcription import Transcription

_TOLD_EVERY_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class _Refused:
    client: str
    status: int
    request_id: str
    seconds: float


class Door:
    """Answers 429 by a request's head alone, before the application hears of it, where its size makes no difference.

    What was refused is logged and counted a moment later, together: for one request alone that would take longer than
    all the rest, on processors whose caches are full of the lanes' work.
    """

    def __init__(self, transcription: Transcription, routes: Sequence[BaseRoute]) -> None:
        self._transcription = transcription
        self._paths = {route.path for route in routes if isinstance(route, Route)}
        self._untold: defaultdict[str, list[_Refused]] = defaultdict(list)

    def refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a request that is not let in."""
        if scope["method"] != "POST" or scope["path"] not in self._paths:
            return None
        started = time.perf_counter()
        try:
            self._transcription.refuse_overload(principal_of(scope), patience_of(scope))
        except ServerError as error:
            request_id = request_id_of(scope)
            response = expected_response(error, request_id, {"X-Request-ID": request_id})
            client = scope["client"][0] if scope["client"] else ""
            seconds = time.perf_counter() - started
            self._tell_later(scope["path"], _Refused(client, response.status_code, request_id, seconds))
            return response
        return None

    def tell(self) -> None:
        """Tell what has not been told."""
        untold, self._untold = self._untold, defaultdict(list)
        for path, refused in untold.items():
            _tell(path, refused)

    def _tell_later(self, path: str, refused: _Refused) -> None:
        if not self._untold:
            asyncio.get_running_loop().call_later(_TOLD_EVERY_SECONDS, self.tell)
        self._untold[path].append(refused)


def _tell(path: str, refused: Iterable[_Refused]) -> None:
    """Count all of them; one log line for each client, with the ids of its requests."""
    ids: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    for each in refused:
        ids[each.client, each.status].append(each.request_id)
        metrics.REQUEST_SECONDS.labels(path).observe(each.seconds)
    for (client, status), request_ids in ids.items():
        metrics.REQUESTS.labels(path, "POST", status).inc(len(request_ids))
        logger.bind(
            method="POST", path=path, status=status, client=client, requests=len(request_ids), request_ids=request_ids
        ).info("refused")
