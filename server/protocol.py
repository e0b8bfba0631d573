"""Connections of a worker that shuts down: whoever is about to ask is still answered."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_LAST_WORD_SECONDS = 1.0


class DrainingProtocol(HttpToolsProtocol):
    """Leaves a quiet connection open for a moment, where Uvicorn closes it at once.

    A request may already be on its way, on a connection accepted just now or on one that its client keeps using;
    closing would reset it, and a client may not send a POST again by itself.
    """

    _draining = False

    def on_headers_complete(self) -> None:
        """Begin a request; while draining it is the last of its connection, and its answer says so."""
        super().on_headers_complete()
        if self._draining and self.cycle is not None:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Close after the request that runs, or, where none does, after a moment for one to arrive."""
        self._draining = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(_LAST_WORD_SECONDS, super().shutdown)
        else:
            super().shutdown()
