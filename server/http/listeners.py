"""The listener for operators: what is for them alone is served there, and nothing else; elsewhere it is not served."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from server.http.access import MANAGEMENT

_EVERYWHERE = ("/healthz", "/readyz")


class Listener:
    """An address where the server listens, known by what a connection's own socket says: no client can make that up."""

    def __init__(self, bind: str) -> None:
        """`bind` is written as in `ASR_MANAGEMENT_BIND`."""
        path, port = bind.removeprefix("unix:"), bind.rpartition(":")[2]
        self._server = (path, None) if bind.startswith("unix:") else int(port)

    def got(self, server: tuple[str, int | None] | None) -> bool:
        """Whether a connection came here whose own end is `server`."""
        path_or_host, port = server or ("", None)
        return self._server == ((path_or_host, None) if port is None else port)


class Listeners:
    """Marks in `scope["state"]` what came to the listener for operators (`management`); 404 for what is not there."""

    def __init__(self, app: ASGIApp, management: Listener) -> None:
        self._app = app
        self._management = management

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http":
            management = self._management.got(scope["server"])
            if scope["path"].startswith(MANAGEMENT) != management and scope["path"] not in _EVERYWHERE:
                raise HTTPException(404)
            scope["state"]["management"] = management
        await self._app(scope, receive, send)
