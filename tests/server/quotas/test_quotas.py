"""What callers may use, counted by workers together: in an SQLite file, and in a real Redis."""

import asyncio
import math
from contextlib import AsyncExitStack

import pytest

from inference.errors import DeadlineExceeded, InferenceError, UndecodableAudio
from server.errors import CLIENT_LEFT, LaneCrashed, Overloaded, QuotaExceeded, ServerError
from server.principal import Limits, Principal
from server.quotas.quotas import Quotas

CALLER = Principal("key:a", "a")
OTHER = Principal("key:b", "b")


@pytest.fixture
def workers(make_counters, monkeypatch):
    """`workers(test, limits)` runs an asynchronous test with the quotas of two workers."""
    monkeypatch.setattr("server.quotas.quotas.PATIENCE", 60.0)  # a slow machine is no fault of the code

    def run(test, limits):
        async def with_quotas():
            async with AsyncExitStack() as running:
                both = [Quotas(make_counters(), limits, refuse_unreachable=True) for _ in range(2)]
                await test(*[await running.enter_async_context(quotas.running()) for quotas in both])

        asyncio.run(with_quotas())

    return run


async def admitted(quotas, principal=CALLER):
    async with quotas.admit(principal):
        pass


async def hears(quotas, seconds, reserved=0.0, error=None, told=0.0):
    """A request that has so much audio decoded; return the error that it ends with, if any."""
    try:
        async with quotas.admit(CALLER) as meter, meter:
            await meter.reserve(reserved)
            await meter.decoded(seconds)
            meter.told(told)
            if error:
                raise error
    except (ServerError, InferenceError, asyncio.CancelledError) as raised:
        return raised
    return None


async def audio_left(quotas):
    async with quotas.admit(CALLER) as meter:
        fields = await meter.fields()
    return int(fields["RateLimit"].partition('"audio-minute";r=')[2].partition(";")[0])


def test_two_workers_let_through_as_much_as_one(workers):
    async def test(one, two):
        for quotas in (one, two, one):
            await admitted(quotas)
        for quotas in (one, two):
            with pytest.raises(QuotaExceeded, match="3 requests a minute") as refused:
                await admitted(quotas)
            assert refused.value.policy == "requests"
            assert 1 <= refused.value.retry_after <= 120
            assert refused.value.fields["RateLimit"].startswith('"requests";r=0;t=')
        await admitted(two, OTHER)

    workers(test, Limits(requests_per_minute=3))


def test_requests_side_by_side_cannot_use_the_same_rest(workers):
    async def test(one, two):
        errors = await asyncio.gather(*[hears(quotas, 4.0, 4.0) for quotas in (one, two) * 5])
        assert sum(error is None for error in errors) == 2

    workers(test, Limits(audio_seconds_per_minute=10.0))


def test_a_key_has_limits_of_its_own_beside_those_of_everybody(workers):
    generous = Principal("key:c", "c", limits=Limits(requests_per_minute=4))

    async def test(one, two):
        for quotas in (one, two):
            await admitted(quotas)
            await admitted(quotas, generous)
            await admitted(quotas, generous)
        with pytest.raises(QuotaExceeded):
            await admitted(one, generous)
        with pytest.raises(QuotaExceeded):
            await admitted(one)
        async with one.admit(OTHER) as meter:
            assert [policy.name for policy in meter.policies] == ["requests", "audio-day"]

    workers(test, Limits(requests_per_minute=2, audio_seconds_per_day=100))


@pytest.mark.parametrize(
    ("error", "left"),
    [
        (None, 94),  # what was decoded counts, whatever was reserved
        (UndecodableAudio("broken at the end"), 94),
        (Overloaded("no room"), 100),
        (LaneCrashed("twice"), 100),
        (asyncio.CancelledError(CLIENT_LEFT), 80),  # nobody knows how far it came
        (asyncio.CancelledError(), 100),  # the server ends
    ],
)
def test_what_counts_is_what_was_decoded_or_nothing_where_that_was_in_vain(workers, error, left):
    async def test(one, two):
        assert await hears(one, 6.0, reserved=20.0, error=error) is error
        assert await audio_left(two) == left

    workers(test, Limits(audio_seconds_per_minute=100.0))


@pytest.mark.parametrize(
    ("error", "left"),
    [
        (None, 94),
        (UndecodableAudio("broken at the end"), 94),
        (DeadlineExceeded("by the client's own word"), 96),
        (LaneCrashed("twice"), 96),
        (asyncio.CancelledError(), 96),
        (asyncio.CancelledError(CLIENT_LEFT), 80),
    ],
)
def test_what_a_client_was_told_counts_whatever_goes_wrong_then(workers, error, left):
    async def test(one, two):
        assert await hears(one, 6.0, reserved=20.0, error=error, told=4.0) is error
        assert await audio_left(two) == left

    workers(test, Limits(audio_seconds_per_minute=100.0))


def test_audio_that_turns_out_longer_than_the_limit_is_refused_when_that_shows(workers):
    async def test(one, two):
        refused = await hears(one, 31.0, reserved=1.0)
        assert (refused.policy, refused.retry_after) == ("audio-minute", None)  # it never fits
        assert await audio_left(two) == 29
        refused = await hears(two, 30.0)
        assert 1 <= refused.retry_after < math.inf
        assert await hears(two, 28.9) is None

    workers(test, Limits(audio_seconds_per_minute=30.0))


def test_the_day_has_a_limit_of_its_own_and_nothing_counts_of_what_only_one_refuses(workers):
    async def test(one, two):
        for quotas in (one, two, one, two):
            assert await hears(quotas, 10.0) is None
        refused = await hears(one, 5.0, reserved=5.0)
        assert refused.policy == "audio-day"
        assert refused.retry_after > 60
        assert await audio_left(one) == 100 - 40

    workers(test, Limits(audio_seconds_per_minute=100.0, audio_seconds_per_day=44.0))


def test_where_no_audio_is_left_a_request_is_refused_by_its_head_alone(workers):
    async def test(one, two):
        await hears(one, 5.0)
        with pytest.raises(QuotaExceeded, match="5 seconds of audio a day"):
            await admitted(two)

    workers(test, Limits(audio_seconds_per_day=5.0))


def test_places_are_held_for_as_long_as_a_request_takes(workers):
    async def test(one, two):
        async with one.admit(CALLER), two.admit(CALLER) as meter:
            assert (await meter.fields())["RateLimit"] == '"concurrent-requests";r=0'
            with pytest.raises(QuotaExceeded, match="2 requests at the same time") as refused:
                await admitted(one)
            assert refused.value.retry_after == 1
            await admitted(one, OTHER)
        await admitted(one)

    workers(test, Limits(concurrent_requests=2))


def test_a_place_that_is_given_back_while_places_are_renewed_stays_free(workers, monkeypatch):
    monkeypatch.setattr("server.quotas.quotas._RENEW_EVERY", 0.01)

    async def test(one, two):
        places, begun, ended, renewed = one._counters.places, asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def renew_late(held, renew=places.renew):
            begun.set()
            await ended.wait()
            await renew(held)
            renewed.set()

        monkeypatch.setattr(places, "renew", renew_late)
        async with one.admit(CALLER):
            await begun.wait()
        ended.set()
        await renewed.wait()
        await admitted(two)

    workers(test, Limits(concurrent_requests=1))


@pytest.mark.measuring
def test_a_request_that_takes_long_keeps_its_place(workers, monkeypatch):
    monkeypatch.setattr("server.quotas.machine.LEASE_SECONDS", 2.0)
    monkeypatch.setattr("server.quotas.redis.LEASE_SECONDS", 2.0)
    monkeypatch.setattr("server.quotas.quotas._RENEW_EVERY", 0.1)

    async def test(one, two):
        async with one.admit(CALLER):
            await asyncio.sleep(4.5)
            with pytest.raises(QuotaExceeded):
                await admitted(two)
        await admitted(two)

    workers(test, Limits(concurrent_requests=1))


def test_places_of_a_worker_that_died_are_free_again_and_those_of_one_that_lives_are_not(workers, monkeypatch):
    for module in ("machine", "redis"):
        monkeypatch.setattr(f"server.quotas.{module}.LEASE_SECONDS", 2.0)
    subject = "concurrent-requests/key:a"

    async def test(one, two):
        places = one._counters.places
        assert await places.hold(subject, 2, "lives") == 1
        assert await places.hold(subject, 2, "dies") == 2
        refused = 0
        while (taken := await two._counters.places.hold(subject, 2, "waits")) > 2:
            refused += 1
            await places.renew({"lives": subject})
            await asyncio.sleep(0.05)
        assert (taken, refused > 0) == (2, True)

    workers(test, Limits())


def test_what_is_given_back_after_a_boundary_is_not_had_twice(make_counters):
    """A request that holds what it reserved until the next window would have that in both."""

    async def test():
        counters = make_counters()
        windows, length = counters.storage, 1
        assert await windows.acquire_sliding_window_entry("a", 10, length, 10)
        while (await windows.get_sliding_window("a", length))[2]:  # noqa: ASYNC110 - time passes, nothing else does
            await asyncio.sleep(0.01)
        await windows.acquire_sliding_window_entry("a", 10, length, -10)
        previous, _, current, _ = await windows.get_sliding_window("a", length)
        assert min(previous, current) >= 0
        await counters.places.close()

    asyncio.run(test())


def test_who_has_no_limits_is_not_counted(workers):
    async def test(one, _):
        async with one.admit(CALLER) as meter, meter:
            await meter.decoded(1e9)
            assert await meter.fields() == {}

    workers(test, Limits())
