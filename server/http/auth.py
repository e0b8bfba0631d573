"""Who calls: the one place where an address becomes a Principal. API keys and tokens will come in here."""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv6Address, ip_network

from starlette.types import ASGIApp, Receive, Scope, Send

from server.http.addresses import Address, Network, Proxy, client_address
from server.principal import Principal

_REMEMBERED = 4096  # addresses; the rest are worked out again
_LOCAL = Principal("local", "local")


class Authentication:
    """Puts the Principal of each request into `scope["state"]`, before admission and before any of its body is read."""

    def __init__(self, app: ASGIApp, trusted: tuple[Proxy, ...], weights: Mapping[Network, float]) -> None:
        self._app = app
        self._trusted = trusted
        self._weights = sorted(weights.items(), key=lambda item: -item[0].prefixlen)
        self._principal = lru_cache(_REMEMBERED)(self._principal_of)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "lifespan":
            scope.setdefault("state", {})["principal"] = self._principal(client_address(scope, self._trusted))
        await self._app(scope, receive, send)

    def _principal_of(self, address: Address | None) -> Principal:
        """An IPv6 client is its network of 64 bits, all of whose addresses are its own; a Unix socket has none."""
        if address is None:
            return _LOCAL
        name = str(address)
        own = str(ip_network((address, 64), strict=False)) if isinstance(address, IPv6Address) else name
        weight = next((weight for network, weight in self._weights if address in network), 1.0)
        return Principal(own, name, weight)
