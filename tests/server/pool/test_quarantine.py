"""Inputs that kill processes are kept out for a while."""

import asyncio
import math

import pytest

from inference.task import Task
from inference.types import Options
from server.pool import quarantine as module
from server.pool.quarantine import Quarantine


@pytest.fixture
def clock(monkeypatch):
    """Time that the test moves."""
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def task(audio):
    return Task("transcribe", "model", audio, Options(), math.inf)


async def kill(quarantine, audio, times=1):
    for _ in range(times):
        await quarantine.record_kill(task(audio))


def test_one_kill_is_forgiven_two_are_not():
    async def scene():
        quarantine = Quarantine()
        await kill(quarantine, b"poison")
        once = await quarantine.holds(task(b"poison"))
        await kill(quarantine, b"poison")
        return once, await quarantine.holds(task(b"poison")), await quarantine.holds(task(b"food"))

    assert asyncio.run(scene()) == (False, True, False)


def test_a_success_clears_the_count():
    async def scene():
        quarantine = Quarantine()
        await kill(quarantine, b"unlucky")
        await quarantine.record_success(task(b"unlucky"))
        await kill(quarantine, b"unlucky")
        return await quarantine.holds(task(b"unlucky"))

    assert not asyncio.run(scene())


def test_the_same_audio_is_known_in_a_file_too(tmp_path):
    path = tmp_path / "clip"
    path.write_bytes(b"poison")

    async def scene():
        quarantine = Quarantine()
        await kill(quarantine, b"poison", times=2)
        return await quarantine.holds(task(path)), await quarantine.holds(task(tmp_path / "closed"))

    assert asyncio.run(scene()) == (True, False)


def test_it_ends(clock):
    async def scene():
        quarantine = Quarantine()
        await kill(quarantine, b"poison", times=2)
        clock[0] += 299
        before = await quarantine.holds(task(b"poison"))
        clock[0] += 2
        return before, await quarantine.holds(task(b"poison")), quarantine._records

    assert asyncio.run(scene()) == (True, False, {})
