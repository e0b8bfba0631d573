"""Who calls, and how long they wait: read off a request's head."""

import math

from starlette.types import Scope

from server.errors import BadRequest
from server.principal import Principal

weights: dict[str, float] = {}


def principal_of(scope: Scope) -> Principal:
    """An API key or an address."""
    client = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
    if not client and scope.get("client"):
        client = scope["client"][0]
    return Principal(client, client, weights.get(client, 1.0))


def patience_of(scope: Scope) -> float:
    """Seconds by `X-Request-Timeout`, infinite without; raise BadRequest where that is no positive number."""
    header: bytes | None = dict(scope["headers"]).get(b"x-request-timeout")
    if header is None:
        return math.inf
    try:
        seconds = float(header)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < math.inf:
        raise BadRequest(f"X-Request-Timeout: {header.decode('latin-1')!r} is not a positive number of seconds")
    return seconds
