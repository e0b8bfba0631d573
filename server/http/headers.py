"""What every answer tells browsers: what it is, that it is kept nowhere, and that nothing in it runs."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ALWAYS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",  # a transcript is nobody else's
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
}
_UNDER_TLS = {b"strict-transport-security": b"max-age=31536000"}


class SecurityHeaders:
    """Adds what a route has not set itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        fields = _ALWAYS | _UNDER_TLS if scope["scheme"] == "https" else _ALWAYS

        async def send_with_fields(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((name, value) for name, value in fields.items() if name not in given),
                ]
            await send(message)

        await self._app(scope, receive, send_with_fields)
