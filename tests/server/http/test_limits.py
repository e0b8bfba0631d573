"""Bytes of all bodies together, and how they are shared."""

import asyncio

import pytest

from server.errors import BodyTooSlow, Overloaded
from server.http.limits import BodyBounds, BodyLimits, BytesInFlight, Room
from server.http.spool import IN_MEMORY
from server.principal import Principal


@pytest.fixture
def in_flight():
    return BytesInFlight(100, "ASR_MAX_INFLIGHT_MB")


def refused(in_flight, principal, size):
    with pytest.raises(Overloaded, match="ASR_MAX_INFLIGHT_MB"):
        in_flight.take(principal, size)
    return True


def test_no_more_than_all(in_flight):
    in_flight.take("a", 60)
    assert refused(in_flight, "b", 41)
    in_flight.take("b", 40)
    assert in_flight.total == 100
    assert refused(in_flight, "c", 1)


def test_one_client_alone_gets_half(in_flight):
    for _ in range(5):
        in_flight.take("a", 10)
    assert refused(in_flight, "a", 10)
    in_flight.take("b", 25)
    assert refused(in_flight, "b", 1)
    in_flight.take("c", 12)


def test_one_body_may_be_larger_than_half(in_flight):
    in_flight.take("a", 100)


def test_one_body_may_grow_larger_than_half(in_flight):
    for piece in range(0, 100, 10):
        in_flight.take("a", 10, own=piece)
    assert refused(in_flight, "b", 1)


def test_beside_another_of_the_same_client_it_may_not(in_flight):
    in_flight.take("a", 20)
    in_flight.take("a", 20, own=0)
    in_flight.take("a", 10, own=20)
    with pytest.raises(Overloaded):
        in_flight.take("a", 10, own=30)


@pytest.mark.parametrize("mib", [400, 512])
def test_a_body_of_unknown_length_may_fill_the_disk_s_room(mib):
    room = Room(BytesInFlight(64 * IN_MEMORY, "memory"), BytesInFlight(512 * IN_MEMORY, "ASR_MAX_SPOOL_MB"))
    for held in range(0, mib * IN_MEMORY, IN_MEMORY // 4):
        room.take("a", held, held + IN_MEMORY // 4)
    assert room.disk.total == mib * IN_MEMORY


def test_what_is_given_back_is_there_again_and_nobody_is_remembered(in_flight):
    for number in range(1000):
        in_flight.take(str(number), 100)
        assert refused(in_flight, "another", 1)
        in_flight.give_back(str(number), 100)
    assert in_flight.total == 0
    assert not in_flight._of


def test_what_is_on_the_disk_takes_no_room_in_memory():
    room = Room(
        BytesInFlight(4 * IN_MEMORY, "ASR_MAX_INFLIGHT_MB"), BytesInFlight(1000 * IN_MEMORY, "ASR_MAX_SPOOL_MB")
    )
    room.take("a", 0, IN_MEMORY)
    assert (room.memory.total, room.disk.total) == (IN_MEMORY, 0)
    room.take("a", IN_MEMORY, 500 * IN_MEMORY)
    assert (room.memory.total, room.disk.total) == (IN_MEMORY, 500 * IN_MEMORY)
    with pytest.raises(Overloaded, match="ASR_MAX_SPOOL_MB"):
        room.take("b", 0, 501 * IN_MEMORY)
    room.take("b", 0, 400 * IN_MEMORY)
    room.take("c", 0, 2 * IN_MEMORY)
    room.take("d", 0, IN_MEMORY // 2)
    with pytest.raises(Overloaded, match="ASR_MAX_INFLIGHT_MB"):
        room.take("e", 0, IN_MEMORY)
    for principal, size in {"a": 500, "b": 400, "c": 2, "d": 0.5}.items():
        room.give_back(principal, int(size * IN_MEMORY))
    assert (room.memory.total, room.disk.total) == (0, 0)


def take_slowly(headers, pieces):
    """Have so many pieces come, 2 kB a second at most, of which nothing is left over."""

    async def receive():
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": bytes(20), "more_body": True}

    async def application(_scope, receive, _send):
        for _ in range(pieces):
            await receive()

    room = Room(BytesInFlight(10**9, "memory"), BytesInFlight(10**9, "disk"))
    limits = BodyLimits(application, BodyBounds(10**9, grace=1.0, speed=100), room)
    scope = {"type": "http", "headers": headers, "state": {"principal": Principal("a", "a")}}
    try:
        asyncio.run(limits(scope, receive, None))
    finally:
        assert (room.memory.total, room.disk.total) == (0, 0)


def test_what_holds_much_room_has_to_come_fast():
    """An hour for all of it: 10 kB a second where 36 MB are announced."""
    take_slowly([(b"content-length", b"1000")], 40)
    with pytest.raises(BodyTooSlow, match="too little for too long"):
        take_slowly([(b"content-length", b"36000000")], 10_000)


def test_what_does_not_say_how_long_it_is_has_no_more_than_an_hour_either(monkeypatch):
    monkeypatch.setattr("server.http.limits._LONGEST_SECONDS", 0.5)
    with pytest.raises(BodyTooSlow, match="within an hour"):
        take_slowly([], 10_000)
