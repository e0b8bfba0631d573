"""Who calls, and whether they may: the one place where a request becomes a Principal's."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from ipaddress import IPv6Address, ip_network
from typing import Protocol

from starlette import types
from starlette.types import ASGIApp, Receive, Send

from server.errors import Forbidden
from server.http.access import ACCESS, Access
from server.http.addresses import Address, Network, Proxy, client_address
from server.principal import Principal, Scope

_REMEMBERED = 4096  # addresses; the rest are worked out again
_ALL = frozenset(Scope)
_LOCAL = Principal("local", "local", scopes=_ALL)
_OPERATOR = Principal("operator", "operator", scopes=frozenset({Scope.METRICS, Scope.ADMIN}))


class Authenticator(Protocol):
    """Who knows callers by what they present."""

    @property
    def required(self) -> bool:
        """Whether callers must be known; else whoever comes is its address, and may do everything."""

    def principal_of(self, scope: types.Scope) -> Principal:
        """Return who this is, by the head of its request; raise Unauthorized or Forbidden."""


class Authentication:
    """Puts the Principal of each request into `scope["state"]`, before admission and before any of its body is read.

    Raises Unauthorized or Forbidden into the middleware around it.
    """

    def __init__(
        self,
        app: ASGIApp,
        trusted: tuple[Proxy, ...],
        weights: Mapping[Network, float],
        authenticator: Authenticator | None = None,
        access: Access = ACCESS,
    ) -> None:
        self._app = app
        self._trusted = trusted
        self._weights = sorted(weights.items(), key=lambda item: -item[0].prefixlen)
        self._by_address = lru_cache(_REMEMBERED)(self._principal_at)
        self._authenticator = authenticator
        self._access = access

    async def __call__(self, scope: types.Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "lifespan":
            state, path = scope.setdefault("state", {}), scope["path"]
            principal = state["principal"] = self._by_address(client_address(scope, self._trusted))
            state["address"] = principal.name
            if state.get("management"):  # whoever reaches that listener may see what is served there
                principal = state["principal"] = _OPERATOR
            elif self._authenticator and self._authenticator.required:
                principal = state["principal"] = replace(principal, scopes=frozenset())  # what a refusal is logged by
                if not self._access.is_open(path):
                    principal = state["principal"] = self._authenticator.principal_of(scope)
            needed = self._access.scope_of(path)
            if needed and needed not in principal.scopes:
                raise Forbidden(f"this caller's scopes do not include {needed}", "scope", needed)
        await self._app(scope, receive, send)

    def _principal_at(self, address: Address | None) -> Principal:
        """An IPv6 client is its network of 64 bits, all of whose addresses are its own; a Unix socket has none."""
        if address is None:
            return _LOCAL
        name = str(address)
        own = str(ip_network((address, 64), strict=False)) if isinstance(address, IPv6Address) else name
        weight = next((weight for network, weight in self._weights if address in network), 1.0)
        return Principal(own, name, weight, _ALL)
