"""The listener for operators: what is for them alone is served there, and nothing else; elsewhere it is not served."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from server.http.access import MANAGEMENT

_EVERYWHERE = ("/healthz", "/readyz")


class Listeners:
    """Marks in `scope["state"]` what came to the listener for operators (`management`); 404 for what is not there.

    Which one a connection came to, its own socket says, which no client can make up.
    """

    def __init__(self, app: ASGIApp, management: str) -> None:
        """`management` is written as in `ASR_MANAGEMENT_BIND`."""
        self._app = app
        path, port = management.removeprefix("unix:"), management.rpartition(":")[2]
        self._server = (path, None) if management.startswith("unix:") else int(port)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http":
            path_or_host, port = scope["server"] or ("", None)
            management = self._server == ((path_or_host, None) if port is None else port)
            if scope["path"].startswith(MANAGEMENT) != management and scope["path"] not in _EVERYWHERE:
                raise HTTPException(404)
            scope["state"]["management"] = management
        await self._app(scope, receive, send)
