"""The issuer's key set behind a real server on loopback that dies, hangs, rotates and lies."""

import asyncio
import json
import time
from contextlib import asynccontextmanager

import pytest

from server.authentication import key_set
from server.authentication.key_set import Freshness, KeySet
from server.errors import KeysUnavailable, Unauthorized
from tests.issuer import SigningKey, key_set_server

FIRST, SECOND = SigningKey("first"), SigningKey("second", "ES256")
OFTEN = Freshness(every=0.1, pause=0.05)
SELDOM = Freshness(every=3600, pause=0.05)


@pytest.fixture
def issuer():
    with key_set_server(FIRST) as server:
        yield server


@asynccontextmanager
async def kept(issuer, freshness=OFTEN):
    keys = KeySet(issuer.url, freshness)
    async with keys.kept_fresh():
        yield keys


async def until(true):
    while not true():  # noqa: ASYNC110 - what it waits for is another thread's, or a task's of the code
        await asyncio.sleep(0.01)


def knows(keys, key_id):
    try:
        return bool(keys.find(key_id))
    except (Unauthorized, KeysUnavailable):
        return False


def raises(error, keys):
    try:
        keys.find("first")
    except error:
        return True
    return False


async def asked_again(issuer, times=2):
    """Until the set has been asked for again, and what came of the time before has been used."""
    asked = issuer.asked
    await until(lambda: issuer.asked >= asked + times)


def test_it_is_there_when_the_server_starts(issuer):
    async def check():
        async with kept(issuer) as keys:
            assert keys.find("first").algorithm == "RS256"
            assert keys.find(None) == keys.find("first")  # the only one
            assert not keys.warnings

    asyncio.run(check())


def test_it_rotates(issuer):
    async def check():
        async with kept(issuer) as keys:
            issuer.publish(FIRST, SECOND)
            await until(lambda: knows(keys, "second"))
            assert knows(keys, "first")
            assert not knows(keys, None)  # which of two?
            issuer.publish(SECOND)
            await until(lambda: not knows(keys, "first"))  # a key that was withdrawn opens nothing
            assert knows(keys, "second")

    asyncio.run(check())


def test_an_unknown_id_has_it_fetched_soon_and_at_most_every_so_often(issuer):
    async def check():
        async with kept(issuer, Freshness(every=3600, pause=0.3)) as keys:
            began = time.monotonic()
            while issuer.asked < 4:
                assert not any(knows(keys, f"made up {n}") for n in range(1000))
                await asyncio.sleep(0.001)
            assert time.monotonic() - began > 2 * 0.3
            issuer.publish(SECOND)
            await until(lambda: knows(keys, "second"))

    asyncio.run(check())


def test_nobody_waits_for_it_in_a_request(issuer):
    async def check():
        async with kept(issuer, SELDOM) as keys:
            issuer.hang.set()
            asked = issuer.asked
            assert not knows(keys, "unknown")
            await until(lambda: issuer.asked > asked)
            assert not knows(keys, "unknown")  # at once, while the fetch hangs
            assert knows(keys, "first")
            issuer.publish(FIRST, SECOND)
            issuer.hang.clear()
            await until(lambda: knows(keys, "second"))

    asyncio.run(check())


def test_it_dies_and_the_last_good_set_is_kept(issuer):
    async def check():
        async with kept(issuer) as keys:
            issuer.die()
            await until(lambda: keys.warnings)
            assert knows(keys, "first")

    asyncio.run(check())


@pytest.mark.parametrize(
    "lie",
    [
        {"status": 500},
        {"status": 404},
        {"status": 302, "headers": {"Location": "http://127.0.0.1:1/keys"}},
        {"body": b"<html>"},
        {"body": b'{"keys": []}'},
        {"body": json.dumps({"keys": [SECOND.entry()]}).encode() + b" " * 300_000},
        {"headers": {"Content-Encoding": "gzip"}},
        {"headers": {"X": "\x00"}},
    ],
    ids=["500", "404", "elsewhere", "no JSON", "nothing", "too much", "packed", "controls"],
)
def test_it_lies_and_the_last_good_set_is_kept(issuer, lie):
    if "headers" in lie and "status" not in lie:
        lie = {"body": b"\x1f\x8b", **lie}

    async def check():
        async with kept(issuer) as keys:
            for name, value in lie.items():
                setattr(issuer, name, value)
            await until(lambda: keys.warnings)
            await asked_again(issuer)
            assert knows(keys, "first")
            assert not knows(keys, "second")

    asyncio.run(check())


@pytest.mark.parametrize("how", ["hang", "drip"])
def test_it_takes_for_ever_and_is_given_up(issuer, monkeypatch, how):
    async def check():
        async with kept(issuer) as keys:
            monkeypatch.setattr(key_set, "_FETCH_SECONDS", 0.3)
            if how == "hang":
                issuer.hang.set()
            else:
                issuer.drip = True
            await until(lambda: keys.warnings)
            await asked_again(issuer)
            assert knows(keys, "first")

    asyncio.run(check())


def test_one_that_was_never_there_is_a_problem_of_the_servers(issuer):
    issuer.status = 503

    async def check():
        async with kept(issuer) as keys:  # which starts all the same, for those who have keys
            assert "503" in keys.warnings[0]
            assert raises(KeysUnavailable, keys)
            issuer.status = 200
            await until(lambda: knows(keys, "first"))

    asyncio.run(check())


def test_one_that_is_too_old_is_not_believed(issuer):
    """Whoever has stolen an old key might keep the issuer from saying that it is none any more."""

    async def check():
        async with kept(issuer, Freshness(every=0.1, pause=0.05, oldest=0.5)) as keys:
            issuer.status = 503
            await until(lambda: raises(KeysUnavailable, keys))
            issuer.status = 200
            await until(lambda: knows(keys, "first"))

    asyncio.run(check())
