"""Who calls: an address, seen through proxies that are trusted and no others."""

import asyncio
from ipaddress import ip_network

import pytest

from server.http.auth import Authentication

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def principal_of(peer, headers=(), trusted=TRUSTED, weights=None):
    """Of a request from `peer` with these headers."""
    scope = {"type": "http", "path": "/", "client": peer and (peer, 1234), "headers": list(headers)}

    async def app(scope, receive, send):
        pass

    asyncio.run(Authentication(app, trusted, weights or {})(scope, None, None))
    return scope["state"]["principal"]


def forwarded_for(*values):
    return [(b"x-forwarded-for", value.encode()) for value in values]


@pytest.mark.parametrize(
    ("peer", "who"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, "local"),
    ],
)
def test_a_client_is_its_address(peer, who):
    assert principal_of(peer).id == who


def test_logs_name_the_whole_address():
    assert principal_of("2001:db8::5").name == "2001:db8::5"


def test_whoever_sends_credentials_that_nobody_checks_is_the_same_client():
    headers = [(b"authorization", b"Bearer 1"), *forwarded_for("192.0.2.7"), (b"forwarded", b"for=192.0.2.7")]
    assert principal_of("198.51.100.1", headers) == principal_of("198.51.100.1")


@pytest.mark.parametrize(
    ("values", "who"),
    [
        (["192.0.2.7"], "192.0.2.7"),
        (["192.0.2.7:1234"], "192.0.2.7"),
        (["[2001:db8::7]:1234"], "2001:db8::/64"),
        (["2001:db8::7"], "2001:db8::/64"),
        (["203.0.113.9, 192.0.2.7"], "192.0.2.7"),  # the client has sent the first one itself
        (["203.0.113.9", "192.0.2.7"], "192.0.2.7"),
        (["192.0.2.7, 10.0.0.2, fd00::3"], "192.0.2.7"),
        (["10.0.0.3, 10.0.0.2"], "10.0.0.3"),  # a proxy asks itself
        (["192.0.2.7, unknown"], "10.0.0.1"),
        (["192.0.2.7, unknown, 10.0.0.2"], "10.0.0.2"),
        (["unknown"], "10.0.0.1"),
        ([""], "10.0.0.1"),
        (["192.0.2.7,"], "10.0.0.1"),
        (["1" * 10_000], "10.0.0.1"),
    ],
)
def test_trusted_proxies_are_believed_as_far_as_they_go(values, who):
    assert principal_of("10.0.0.1", forwarded_for(*values)).id == who


@pytest.mark.parametrize(
    ("value", "who"),
    [
        ("for=192.0.2.7", "192.0.2.7"),
        ('For="[2001:db8::7]:4711"', "2001:db8::/64"),
        ("proto=http; For = 192.0.2.7 ;by=203.0.113.43", "192.0.2.7"),
        ("for=203.0.113.9, for=192.0.2.7;proto=https, for=10.0.0.2", "192.0.2.7"),
        ("for=192.0.2.7, for=_hidden", "10.0.0.1"),
        ("for=192.0.2.7, by=10.0.0.2", "10.0.0.1"),
        ("nonsense", "10.0.0.1"),
    ],
)
def test_forwarded_as_rfc_7239_has_it(value, who):
    assert principal_of("10.0.0.1", [(b"forwarded", value.encode())]).id == who


def test_two_headers_that_differ_are_not_believed():
    """A proxy that writes one of them has let the client's own other one through."""
    headers = [*forwarded_for("192.0.2.7"), (b"forwarded", b"for=203.0.113.9")]
    assert principal_of("10.0.0.1", headers).id == "10.0.0.1"
    headers = [*forwarded_for("192.0.2.7"), (b"forwarded", b"for=192.0.2.7")]
    assert principal_of("10.0.0.1", headers).id == "192.0.2.7"


@pytest.mark.parametrize(("trusted", "who"), [((), "local"), (("unix",), "192.0.2.7"), (TRUSTED, "local")])
def test_a_proxy_on_a_unix_socket(trusted, who):
    assert principal_of(None, forwarded_for("192.0.2.7"), trusted).id == who


@pytest.mark.parametrize(("peer", "weight"), [("10.1.2.3", 0.5), ("10.1.9.9", 4), ("10.2.0.1", 1), ("2001:db8::9", 2)])
def test_the_narrowest_network_says_the_weight(peer, weight):
    weights = {ip_network("10.1.0.0/16"): 4, ip_network("10.1.2.3"): 0.5, ip_network("2001:db8::/32"): 2}
    assert principal_of(peer, trusted=(), weights=weights).weight == weight


def test_the_clients_remembered_are_bounded():
    async def app(scope, receive, send):
        pass

    async def flood(authentication):
        for number in range(20_000):
            client = (f"198.{number // 250 % 250}.{number % 250}.{number // 62_500}", 1)
            await authentication({"type": "http", "path": "/", "client": client, "headers": []}, None, None)

    authentication = Authentication(app, (), {})
    asyncio.run(flood(authentication))
    assert authentication._by_address.cache_info().currsize <= 4096
