"""Connections: a body is taken in when the application asks for it, and nobody loses an answer when one closes.

Uvicorn reads whatever comes. Past the server's capacity most of that are uploads that have been refused already; they
stay in the kernel here, and are dropped there (`server/http/discard.py`).
"""

import asyncio
import math
from typing import Any, cast

import httptools
from starlette.responses import Response
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from server.http.discard import Discard
from server.http.refusal import Door

_LAST_WORD_SECONDS = 1.0
_UNWANTED_SECONDS = 60.0  # after an answer, for the rest of its request
_HEAD_BYTES, _BODY_BYTES = 4096, 256_000
_BUFFER = memoryview(bytearray(_BODY_BYTES))  # one for all connections: what is read is handed on at once


class Connection(asyncio.BufferedProtocol):
    """What the event loop talks to: reads little at a time until there is a head, so that the body waits outside."""

    def __init__(self, **options: Any) -> None:
        self._http = HttpProtocol(**options)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client is there."""
        self._http.connection_made(cast("asyncio.Transport", transport))

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the event loop's guess
        """Where the next bytes go."""
        return _BUFFER if self._http.body_left else _BUFFER[:_HEAD_BYTES]

    def buffer_updated(self, nbytes: int) -> None:
        """They have come."""
        self._http.data_received(bytes(_BUFFER[:nbytes]))

    def eof_received(self) -> None:
        """The client sends no more."""
        self._http.eof_received()

    def pause_writing(self) -> None:
        """The client is slow to read."""
        self._http.pause_writing()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._http.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._http.connection_lost(exc)


class HttpProtocol(HttpToolsProtocol):
    """Uvicorn's protocol, except for what happens to bodies nobody asks for, and when the worker shuts down.

    Draining, it leaves a quiet connection open for a moment, where Uvicorn closes it at once: a request may already be
    on its way, on a connection accepted just now or on one that its client keeps using; closing would reset it, and a
    client may not send a POST again by itself.
    """

    _draining = False
    _discard: Discard | None = None
    _patience: asyncio.TimerHandle | None = None
    body_left: float = 0
    """Bytes of the request's body that have not been read; infinite where its head does not say how many."""

    def on_headers_complete(self) -> None:
        """Begin a request; while draining it is the last of its connection, and its answer says so."""
        super().on_headers_complete()
        if self.cycle is None:
            return
        if self._draining:
            self.cycle.keep_alive = False
        headers = dict(self.headers)
        self.body_left = math.inf if b"transfer-encoding" in headers else int(headers.get(b"content-length", 0))
        if self.body_left:
            self.flow.pause_reading()  # until the application asks for it
            if self.scope["method"] != "HEAD":  # whose answers have no body to wait for
                self.cycle.transport = cast("asyncio.Transport", _AnswerTransport(self.transport, self.cycle))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        # What has come together with the head is parsed first: then it is known how much of the body is left.
        self.loop.call_soon(self._begin, cycle, app)

    def _begin(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Hand the request to the application, unless it is not let in."""
        door: Door | None = self.app_state.get("door")
        refusal = door.refusal(cast("Scope", cycle.scope)) if door is not None and not cycle.disconnected else None
        if refusal is None:
            super()._start_asgi_task(cycle, app)
        else:
            self._answer(cycle, refusal)

    def _answer(self, cycle: RequestResponseCycle, response: Response) -> None:
        headers = [*cycle.default_headers, *response.raw_headers]
        if not cycle.keep_alive:
            headers.append((b"connection", b"close"))
        lines = [STATUS_LINE[response.status_code], *(b"%b: %b\r\n" % header for header in headers), b"\r\n"]
        self.transport.write(b"".join((*lines, response.body)))
        cycle.response_started = cycle.response_complete = True
        self.on_response_complete()

    def on_body(self, body: bytes) -> None:
        """Hand a piece on."""
        self.body_left -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request, for which perhaps nobody waits any more."""
        self.body_left = 0
        self._end_patience()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request, or see the rest of this one off the line first."""
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():
            last = not self.cycle.keep_alive
            if self.body_left or last:
                self._see_off(last=last)

    def shutdown(self) -> None:
        """Close after the request that runs, or, where none does, after a moment for one to arrive."""
        self._draining = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(_LAST_WORD_SECONDS, super().shutdown)
        else:
            super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """Clear up."""
        if self._discard is not None:
            self._discard.stop()
        if self._patience is not None:
            self._patience.cancel()
        super().connection_lost(exc)

    def _see_off(self, *, last: bool) -> None:
        if last:
            self.transport.write_eof()
        if last or self.body_left != math.inf:  # where a chunked body ends only the parser can find
            self.flow.pause_reading()
            self._discard = Discard(self.loop, self.transport, math.inf if last else self.body_left, self._seen_off)
            self._discard.start()
            if self._discard is None:
                return  # all of it was there
        self._unset_keepalive_if_required()
        patience = _UNWANTED_SECONDS if self.body_left else _LAST_WORD_SECONDS
        self._patience = self.loop.call_later(patience, self.transport.abort)

    def _seen_off(self) -> None:
        self.body_left, self._discard = 0, None
        if self.cycle.keep_alive:
            self.parser = httptools.HttpRequestParser(self)  # the old one still waits for the body
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            self._end_patience()
            self.flow.resume_reading()
        else:
            self.transport.close()

    def _end_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )


class _AnswerTransport:
    """What the answer to a request with a body is written to: in one piece, and it does not close the connection.

    Uvicorn writes head and body one after the other, for which a client would wake twice.
    """

    def __init__(self, transport: asyncio.Transport, cycle: RequestResponseCycle) -> None:
        self._transport = transport
        self._cycle = cycle
        self._head: bytes | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Keep the head until the first piece of the body comes."""
        if self._cycle.response_started and self._head is None:
            self._head = data
        else:
            self._transport.write((self._head or b"") + data)
            self._head = b""

    def close(self) -> None:
        """Close, unless behind a whole answer: then the protocol does, since the body may still be on its way."""
        if not self._cycle.response_complete:
            self._transport.close()
