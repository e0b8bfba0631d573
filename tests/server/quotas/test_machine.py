"""The SQLite file of a machine as time passes, is set back, and as strangers fill it."""

import asyncio
from contextlib import suppress

import pytest
from limits.errors import StorageError

from server.errors import QuotaExceeded
from server.principal import Limits, Principal
from server.quotas.counters import Counters
from server.quotas.machine import MachineCounters
from server.quotas.quotas import Quotas


def test_what_counts_no_more_is_thrown_away(tmp_path, monkeypatch):
    now = [1e9]
    monkeypatch.setattr("server.quotas.machine.time.time", lambda: now[0])
    machine = MachineCounters(lambda: tmp_path / "limits.sqlite")

    async def test():
        for number in range(400):
            now[0] += 1
            assert await machine.acquire_sliding_window_entry(f"stranger {number}", 1, 10, 1)
        (kept,) = machine._database().execute("SELECT count(*) FROM windows").fetchone()
        assert kept <= 22
        await machine.close()

    asyncio.run(test())


def test_a_clock_that_is_set_back_neither_forgets_nor_holds_places_for_ever(tmp_path, monkeypatch):
    now = [1e9]
    monkeypatch.setattr("server.quotas.machine.time.time", lambda: now[0])
    machine = MachineCounters(lambda: tmp_path / "limits.sqlite")

    async def test():
        assert await machine.acquire_sliding_window_entry("a", 1, 60, 1)
        assert await machine.hold("a", 1, "dead") == 1
        now[0] -= 1e6
        assert not await machine.acquire_sliding_window_entry("a", 1, 60, 1)
        assert await machine.hold("a", 1, "alive") == 1
        now[0] += 120
        assert await machine.acquire_sliding_window_entry("a", 1, 60, 1)
        await machine.close()

    asyncio.run(test())


@pytest.mark.parametrize("limits", [Limits(requests_per_minute=1), Limits(audio_seconds_per_minute=1)])
def test_a_caller_at_its_limit_is_let_in_again_after_a_clock_that_is_set_back(tmp_path, monkeypatch, limits):
    """What is left of audio is only read where a request is refused."""
    now = [1e9]
    monkeypatch.setattr("server.quotas.machine.time.time", lambda: now[0])
    machine = MachineCounters(lambda: tmp_path / "limits.sqlite")

    async def asks(quotas):
        async with quotas.admit(Principal("key:a", "a")) as meter, meter:
            await meter.decoded(1.0)

    async def test():
        async with Quotas(Counters(machine, machine, machine), limits, refuse_unreachable=True).running() as quotas:
            await asks(quotas)
            now[0] -= 1e6
            with pytest.raises(QuotaExceeded):
                await asks(quotas)
            now[0] += 121
            await asks(quotas)

    asyncio.run(test())


def test_a_file_that_strangers_have_filled_has_room_again_when_they_count_no_more(tmp_path, monkeypatch):
    now = [1e9]
    monkeypatch.setattr("server.quotas.machine.time.time", lambda: now[0])
    monkeypatch.setattr("server.quotas.machine._MOST_PAGES", 64)
    machine = MachineCounters(lambda: tmp_path / "limits.sqlite")

    async def counted(names, many):
        count = 0
        for number in range(many):
            with suppress(StorageError):
                count += await machine.acquire_sliding_window_entry(f"{number * 7919 % 65536:x} {names}", 1, 60, 1)
        return count

    async def test():
        many = 8000
        assert await counted("strangers", many) < many - 1000
        now[0] += 121
        assert await counted("others", 1000) == 1000
        await machine.close()

    asyncio.run(test())
