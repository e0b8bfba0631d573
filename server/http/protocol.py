"""What Uvicorn's HTTP/1.1 connections lack.

Heads are bounded in bytes, headers and seconds, connections in number. An upgrade that is not taken is ignored (RFC
9110, 7.8). A client that has closed its own side only is answered. We close our side first, so that no reset overtakes
the answer to a client that still sends (RFC 9112, 9.6). A worker that shuts down answers whoever is about to ask.
"""

import asyncio
import select
from collections.abc import Callable
from typing import Any, cast

import httptools
from loguru import logger
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from server import metrics
from server.errors import BadRequest, HeadTooLarge, HeadTooSlow, ServerError, TooManyConnections
from server.http.context import new_request_id
from server.http.limits import ConnectionLimits
from server.http.problems import problem_response

_HEAD_BYTES, _HEADERS = 32_768, 100
_TOO_LARGE = f"at most {_HEAD_BYTES} bytes and {_HEADERS} headers are taken"
_UPGRADE = {b"upgrade", b"http2-settings"}
_REST_SECONDS = 30.0  # for the rest of a body that has been answered
_QUIET_SECONDS = 1.0  # for a request that is on its way, and for the client to close too
_PIPELINED = 32  # requests that wait for the one before, on one connection: each read may bring thousands
_TURNED_AWAY = 64  # connections that get a reason; those beyond are cut


class HttpProtocol(HttpToolsProtocol):
    """One connection. Uvicorn's keep-alive timer stands here for whatever its client has to do next."""

    _draining = _deaf = in_body = False
    _silent_bytes = 0
    """Read since a head or a piece of a body began: of an endless header the parser says nothing until it ends."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, or turn the client away."""
        self._limits: ConnectionLimits = self.app_state.get("connection_limits") or ConnectionLimits()
        super().connection_made(cast("asyncio.Transport", _ClosesOurSideFirst(transport, self)))
        self._allow(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        excess = len(self.connections) - self._limits.connections
        if excess > _TURNED_AWAY:
            self.transport.abort()
        elif excess > 0:
            self._turn_away(TooManyConnections("ASR_MAX_CONNECTIONS sets the limit"))

    def data_received(self, data: bytes) -> None:
        """Parse what comes, until the last request has been read."""
        if self._deaf or self.transport.is_closing():
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

    def eof_received(self) -> bool:  # type: ignore[override]
        """Stay to answer, where a whole request has come; TLS knows no half-closed connections."""
        cycle = self.cycle
        stays = cycle is not None and not (cycle.response_complete or cycle.more_body) and self.scheme == "http"
        if stays:
            cycle.keep_alive = False
            if cycle.scope["http_version"] == "1.1" and not self.pipeline and not cycle.response_started:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")  # which any client passes over: a probe
            self._watch(cycle, 0.005)
        return stays

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        self._silent_bytes = 0
        self._allow(self._limits.head_seconds, self._be_late)

    def on_headers_complete(self) -> None:
        """Begin a request; while draining it is the last of its connection, and its answer says so."""
        self._unset_keepalive_if_required()
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > _HEAD_BYTES or len(self.headers) > _HEADERS:
            raise HeadTooLarge(_TOO_LARGE)
        if len(self.pipeline) >= _PIPELINED:
            raise BadRequest("too many requests before the first is answered")
        if not self._has_other_upgrade():
            super().on_headers_complete()
            self.in_body = True
            self.cycle.keep_alive &= not self._draining

    def on_body(self, body: bytes) -> None:
        """Hand a piece on."""
        self._silent_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        if not self._has_other_upgrade():
            self.in_body = False
            super().on_message_complete()
            if self.cycle.response_complete:  # this was the rest of a body that nobody wanted
                self._allow(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def on_response_complete(self) -> None:
        """Go on with the next request; the rest of this one's body, if any, has to come soon."""
        super().on_response_complete()
        if self.in_body and self.cycle.response_complete and not self.transport.is_closing():
            self._allow(_REST_SECONDS, self.transport.abort)

    def shutdown(self) -> None:
        """Close after the request that runs, or, where none does, after a moment for one to arrive."""
        self._draining = True
        idle = self.cycle is None or self.cycle.response_complete
        self.loop.call_later(_QUIET_SECONDS if idle else 0, super().shutdown)

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
        """Answer what never becomes a request, unless there are others to answer before."""
        if self._deaf or self.transport.is_closing():
            return
        self._deaf = True
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False
            return
        metrics.REJECTED.labels("connection").inc()
        response = problem_response(error, request_id := new_request_id())
        response.headers.update({"x-request-id": request_id, "connection": "close"})
        logger.bind(request_id=request_id, peer=self.client and self.client[0]).info(f"turned away: {error}")
        headers = [*self.server_state.default_headers, *response.raw_headers]
        lines = (b"%b: %b\r\n" % header for header in headers)
        self.transport.write(b"".join((STATUS_LINE[response.status_code], *lines, b"\r\n", response.body)))
        self.transport.close()

    def _watch(self, cycle: RequestResponseCycle, pause: float) -> None:
        """Wait for the reset by which one that has gone, and not only half-closed, answers to the probe."""
        if cycle.response_started or self.transport.is_closing():
            return
        poll = select.poll()
        poll.register(self.transport.get_extra_info("socket").fileno(), 0)
        if poll.poll(0):
            self.transport.abort()
        else:
            self.loop.call_later(pause, self._watch, cycle, min(2 * pause, _QUIET_SECONDS))


class _ClosesOurSideFirst:
    """A transport that closes when the client has closed too, or has had time to see the end."""

    def __init__(self, transport: asyncio.Transport, protocol: HttpProtocol) -> None:
        self._transport = transport
        self._protocol = protocol
        self._closing = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether it takes nothing more to write."""
        return self._closing or self._transport.is_closing()

    def close(self) -> None:
        """Send the end, drop what still comes."""
        if not self.is_closing():
            self._closing = True
            seconds = _REST_SECONDS if self._protocol.in_body else _QUIET_SECONDS
            if self._transport.can_write_eof():
                self._transport.write_eof()
            elif not self._protocol.in_body:
                seconds = 0.0  # TLS can end both sides only, and its client may wait for the end
            self._protocol.flow.resume_reading()
            self._protocol.loop.call_later(seconds, self._transport.close)
