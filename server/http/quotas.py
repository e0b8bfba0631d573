"""Limits of callers, between identity and admission: whoever is over one is told so by the head of its request."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Connection

from server.http.access import ACCESS, Access
from server.principal import Scope
from server.quotas.quotas import Quotas

_COUNTED = {Scope.TRANSCRIBE, Scope.LISTEN, Scope.JOBS}
"""What is limited: the work, not who looks at models or metrics."""


class QuotaLimits:
    """Raises QuotaExceeded or QuotasUnreachable into the middleware around it, before any of a body is read.

    Finds `quotas` in `scope["state"]`, leaves a `meter` there for the audio, and says in answers how much is left.
    """

    def __init__(self, app: ASGIApp, access: Access = ACCESS) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """ASGI."""
        needed = self._access.scope_of(scope["path"]) if scope["type"] == "http" else None
        if needed not in _COUNTED:
            await self._app(scope, receive, send)
            return
        state = scope["state"]
        quotas: Quotas = state["quotas"]
        async with quotas.admit(state["principal"], stream=needed == Scope.LISTEN) as meter:
            state["meter"] = meter

            async def send_with_fields(message: Message) -> None:
                if message["type"] == "http.response.start":
                    MutableHeaders(scope=message).update(await meter.fields())
                await send(message)

            await self._app(scope, receive, send_with_fields)
