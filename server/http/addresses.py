"""Where a request comes from: the address of the connection, or what trusted proxies report behind it."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal

from starlette.types import Scope

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Proxy = Network | Literal["unix"]
"""Whose word is taken: a network, or whoever connects to a Unix socket."""

_FORWARDED_FOR = re.compile(r'(?:^|;)\s*for\s*=\s*("?)([^";]*)\1', re.IGNORECASE)
_WITH_PORT = re.compile(r"\[(?P<six>[^\]]+)\](?::\d+)?|(?P<four>[\d.]+):\d+")


def client_address(scope: Scope, trusted: Iterable[Proxy]) -> Address | None:
    """Return the nearest address that is no trusted proxy's; None for a client on a Unix socket.

    Each proxy appends whom it heard from, so the list is read from its end, and only as far as it was written by
    someone trusted. Where `X-Forwarded-For` and `Forwarded` (RFC 7239) name different clients, one of them has passed
    through a proxy that writes the other: neither is believed.
    """
    peer = parse_address(scope["client"][0]) if scope.get("client") else None
    if not _is_trusted(peer, trusted):
        return peer
    headers = [(name, value.decode("latin-1")) for name, value in scope["headers"]]
    lists = [[hop for name, value in headers if name == wanted for hop in hops(value)] for wanted, hops in _LISTS]
    found = {_walk(peer, hops, trusted) for hops in lists if hops}
    return found.pop() if len(found) == 1 else peer


@lru_cache(4096)
def parse_address(text: str) -> Address | None:
    """Parse an address, with or without a port; an IPv4 address inside IPv6 is taken out. None for anything else."""
    text = text.strip().partition("%")[0]  # a zone says nothing to others
    if match := _WITH_PORT.fullmatch(text):
        text = match["six"] or match["four"]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _walk(peer: Address | None, hops: list[str], trusted: Iterable[Proxy]) -> Address | None:
    nearest = peer
    for hop in reversed(hops):
        address = parse_address(hop.strip()[:64])  # as far as an address goes: what is parsed is remembered
        if address is None:
            break  # "unknown" or a made-up name: the proxy that says so is as far as can be seen
        nearest = address
        if not _is_trusted(address, trusted):
            break
    return nearest


def _is_trusted(address: Address | None, trusted: Iterable[Proxy]) -> bool:
    if address is None:
        return "unix" in trusted
    return any(proxy != "unix" and address in proxy for proxy in trusted)


def _x_forwarded_for(value: str) -> Iterator[str]:
    yield from value.split(",")


def _forwarded(value: str) -> Iterator[str]:
    for element in value.split(","):
        match = _FORWARDED_FOR.search(element)
        yield match[2] if match else ""


_LISTS = ((b"x-forwarded-for", _x_forwarded_for), (b"forwarded", _forwarded))
