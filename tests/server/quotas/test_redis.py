"""Places in a real Redis, which many connections ask in any order."""

import asyncio

import pytest
from redis.asyncio.connection import AbstractConnection

from server.quotas.redis import redis_counters
from tests.redis_server import redis_server

pytestmark = pytest.mark.programs("redis-server")
SUBJECT = "concurrent-requests/key:a"


@pytest.fixture
def with_places(tmp_path, monkeypatch):
    """Runs an asynchronous test with places in a Redis of its own, which outlast any slow machine."""
    monkeypatch.setattr("server.quotas.redis.LEASE_SECONDS", 1000.0)

    def run(test):
        async def with_counters(url):
            counters = redis_counters(url, 60.0)
            try:
                await test(counters.places)
            finally:
                await counters.places.close()

        with redis_server(tmp_path) as (url, _):
            asyncio.run(with_counters(url))

    return run


def test_a_renewal_that_is_overtaken_brings_nothing_back(with_places):
    async def test(places):
        assert await places.hold(SUBJECT, 2, "ends") == 1
        assert await places.hold(SUBJECT, 2, "stays") == 2
        asked = {"ends": SUBJECT, "stays": SUBJECT}
        await places.give_back(SUBJECT, "ends")
        await places.renew(asked)
        assert await places.hold(SUBJECT, 2, "next") == 2
        assert await places.hold(SUBJECT, 2, "one too many") == 3

    with_places(test)


def test_what_is_renewed_is_held_for_longer(with_places):
    async def test(places):
        held = {f"holder {number}": f"subject {number // 2}" for number in range(10)}
        for holder, subject in held.items():
            await places.hold(subject, 2, holder)
        for subject in held.values():
            key = f"asr:{subject}"
            await places._redis.persist(key)
            for holder in await places._redis.zrange(key, 0, -1):
                await places._redis.zadd(key, {holder: 1e9})  # long ago
        await places.renew(held)
        for subject in held.values():
            assert await places.hold(subject, 2, "one too many") == 3
            assert await places._redis.ttl(f"asr:{subject}") > 0

    with_places(test)


def test_all_are_renewed_in_one_go(with_places, monkeypatch):
    sent = []

    async def send(connection, *arguments, original=AbstractConnection.send_packed_command, **keywords):
        sent.append(arguments)
        await original(connection, *arguments, **keywords)

    async def test(places):
        await places.renew({"holder": "subject"})  # the script is known from now on
        monkeypatch.setattr(AbstractConnection, "send_packed_command", send)
        counted = []
        for many in (1, 2000):
            sent.clear()
            await places.renew({f"holder {number}": f"subject {number // 10}" for number in range(many)})
            counted.append(len(sent))
        assert counted == [1, 1]

    with_places(test)
