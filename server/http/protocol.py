"""What Uvicorn's HTTP/1.1 connections lack.

Heads are bounded in bytes, headers and seconds, connections in number. An upgrade that is not taken is ignored (RFC
9110, 7.8). A worker that shuts down answers whoever is about to ask. How a connection ends stands in `closing.py`.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, cast

import httptools
from loguru import logger
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from server import handover, metrics
from server.errors import BadRequest, HeadTooLarge, HeadTooSlow, ServerError, TooManyConnections
from server.http.closing import (
    QUIET_SECONDS,
    REST_SECONDS,
    ClosesOurSideFirst,
    answer_half_closed,
    answer_without_chunks,
)
from server.http.connections import Connections
from server.http.context import new_request_id
from server.http.limits import ConnectionLimits
from server.http.problems import problem_response
from server.principal import Principal

_HEAD_BYTES, _HEADERS = 32_768, 100
_TOO_LARGE = f"at most {_HEAD_BYTES} bytes and {_HEADERS} headers are taken"
_UPGRADE = {b"upgrade", b"http2-settings"}
_PIPELINED = 32  # requests that wait for the one before, on one connection: each read may bring thousands


class HttpProtocol(HttpToolsProtocol):
    """One connection. Uvicorn's keep-alive timer stands here for whatever its client has to do next."""

    _draining = _deaf = in_body = False
    _silent_bytes = 0
    """Read since the parser last said something: of an endless header it says nothing until that ends."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, or turn the client away."""
        self._all: Connections = self.app_state.get("connections") or Connections(ConnectionLimits())
        self._limits = self._all.limits
        self._closing = ClosesOurSideFirst(transport, self, self._limits.body_seconds)
        super().connection_made(cast("asyncio.Transport", self._closing))
        self._allow(self._limits.head_seconds, self.timeout_keep_alive_handler)
        if self._all.take(self):
            return
        if self._all.many_refused:
            self.transport.abort()
        else:
            self._turn_away(TooManyConnections("each has a request under way; ASR_MAX_CONNECTIONS sets the limit"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Have done with it."""
        self._closing.lost()
        self._all.lose(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Write no more until the client has taken what waits for it, which it has to."""
        super().pause_writing()
        self._closing.watch()

    def data_received(self, data: bytes) -> None:
        """Parse what comes, until the last request has been read."""
        if self._deaf or self.transport.is_closing():
            self._closing.drop(len(data))
            return
        self._silent_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
            else:
                self._ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            reason = error.__context__  # what was raised into the parser from here, if that is the cause
            self._turn_away(reason if isinstance(reason, ServerError) else BadRequest("this is no HTTP request"))
        if self._silent_bytes > _HEAD_BYTES:
            self._turn_away(HeadTooLarge(_TOO_LARGE))
        elif self.in_body and self.cycle.response_complete and not _is_known(self.cycle.scope["state"]):
            self._closing.drop(len(data))

    def eof_received(self) -> bool:  # type: ignore[override]
        """Stay to answer, where a whole request has come; TLS knows no half-closed connections.

        Nor does HTTP/1.0 here: of such a client nobody could tell whether it has gone.
        """
        cycle = self.cycle
        stays = cycle is not None and not (cycle.response_complete or cycle.more_body) and self.scheme == "http"
        stays = stays and cycle.scope["http_version"] == "1.1"
        if stays:
            answer_half_closed(self.transport, cycle, first=not self.pipeline)
        return stays

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        self._allow(self._limits.head_seconds, self._be_late)
        if self._is_idle:  # a head that does not come is no reason to keep others out, one that does is no long silence
            self._all.rest(self)

    def on_headers_complete(self) -> None:
        """Begin a request; while draining it is the last of its connection, and its answer says so."""
        self._unset_keepalive_if_required()
        self._silent_bytes = 0
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > _HEAD_BYTES or len(self.headers) > _HEADERS:
            raise HeadTooLarge(_TOO_LARGE)
        if len(self.pipeline) >= _PIPELINED:
            raise BadRequest("too many requests before the first is answered")
        if not self._has_other_upgrade():
            super().on_headers_complete()
            self.in_body = True
            self._all.work(self)
            self.cycle.keep_alive &= not (self._draining or handover.draining())
            if self.cycle.scope["http_version"] == "1.0":
                answer_without_chunks(self.cycle)

    def on_body(self, body: bytes) -> None:
        """Hand a piece on."""
        self._silent_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._silent_bytes = 0
        if not self._has_other_upgrade():
            self.in_body = False
            super().on_message_complete()
            if self.cycle.response_complete:  # this was the rest of a body that nobody wanted
                self._allow(self.timeout_keep_alive, self.timeout_keep_alive_handler)
                self._all.rest(self)

    def on_response_complete(self) -> None:
        """Go on with the next request; the rest of this one's body, if any, has to come soon."""
        super().on_response_complete()
        if not self._is_idle or self.transport.is_closing():
            return
        if self.in_body:
            self._allow(REST_SECONDS, self.transport.abort)
        else:
            self._all.rest(self)

    def shutdown(self) -> None:
        """Close after the request that runs, or, where none does, after a moment for one to arrive."""
        self._draining = True
        self.loop.call_later(QUIET_SECONDS if self._is_idle else 0, super().shutdown)

    @property
    def _is_idle(self) -> bool:
        """Whether no request waits for its answer."""
        return self.cycle is None or self.cycle.response_complete

    def _allow(self, seconds: float, then: Callable[[], None]) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(seconds, then)

    def _be_late(self) -> None:
        self._turn_away(HeadTooSlow(f"no whole head within {self._limits.head_seconds:.3g} s"))

    def _has_other_upgrade(self) -> bool:
        return bool(self.parser.should_upgrade() and not self._should_upgrade())

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Parse the request again without what asked for it, since the parser has skipped its body."""
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        if method == b"CONNECT":
            self._turn_away(BadRequest("this is no proxy"))
            return
        lines = [b"%b %b HTTP/%b" % (method, self.url, version)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"connection"]
        connection = b",".join(value.lower() for name, value in self.headers if name == b"connection").split(b",")
        lines.append(b"connection: " + b",".join(token for token in connection if token.strip() not in _UPGRADE))
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.data_received(b"\r\n".join((*lines, b"", rest)))

    def _turn_away(self, error: ServerError) -> None:
        """Answer what never becomes a request, unless there are others to answer before.

        In the middle of a body the request's own answer says so: whoever reads on is given the error (`limits.py`).
        """
        if self._deaf or self.transport.is_closing():
            return
        self._deaf = True
        self._all.work(self)  # its answer is not to be cut short
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False
            if self.in_body:
                self.cycle.scope["state"]["fault"] = error
                self.cycle.message_event.set()
            return
        metrics.REJECTED.labels("connection").inc()
        response = problem_response(error, request_id := new_request_id())
        response.headers.update({"x-request-id": request_id, "connection": "close"})
        logger.bind(request_id=request_id, peer=self.client and self.client[0]).info(f"turned away: {error}")
        headers = [*self.server_state.default_headers, *response.raw_headers]
        lines = (b"%b: %b\r\n" % header for header in headers)
        self.transport.write(b"".join((STATUS_LINE[response.status_code], *lines, b"\r\n", response.body)))
        self.transport.close()


def _is_known(state: Mapping[str, Any]) -> bool:
    """Whether whoever asked may do anything; health and documents are for strangers too, and have no use for bodies."""
    principal: Principal | None = state.get("principal")
    return principal is not None and bool(principal.scopes)
