"""Counters that stand still: a process is stopped while it has the lock, or Redis is. Nobody waits for either."""

import asyncio
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import contextmanager

import pytest

from config.settings import Settings
from server.errors import QuotaExceeded, QuotasUnreachable
from server.principal import Limits, Principal
from server.quotas.counters import Counters
from server.quotas.machine import MachineCounters
from server.quotas.quotas import Quotas
from server.quotas.redis import redis_counters
from server.startup import limits_file
from tests.redis_server import redis_server

CALLER = Principal("key:a", "a")
LIMITS = Limits(requests_per_minute=2, concurrent_requests=5)
HOLDER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN IMMEDIATE")
database.execute("DELETE FROM windows")
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def lock_holder(file):
    """A process that has begun to forget everything, and has not finished."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout.readline() == "locked\n"
        try:
            yield holder
        finally:
            holder.kill()


def machine_counters(file):
    machine = MachineCounters(lambda: file)
    return Counters(machine, machine, machine)


@pytest.fixture(params=["machine", pytest.param("redis", marks=pytest.mark.programs("redis-server"))])
def subject(request, tmp_path):
    """Counters, and a context in which they stand still."""
    if request.param == "machine":
        file = tmp_path / "limits.sqlite"

        @contextmanager
        def standing_still():
            with lock_holder(file) as holder:
                holder.send_signal(signal.SIGSTOP)
                yield

        yield lambda: machine_counters(file), standing_still
        return
    with redis_server(tmp_path) as (url, process):

        @contextmanager
        def standing_still():
            process.send_signal(signal.SIGSTOP)
            yield
            process.send_signal(signal.SIGCONT)

        yield lambda: redis_counters(url, 60.0), standing_still


async def admitted(quotas):
    async with quotas.admit(CALLER) as meter, meter:
        return await meter.fields()


async def served_until_refused(quotas):
    served = 0
    while True:
        try:
            await admitted(quotas)
            served += 1
        except QuotasUnreachable:
            await asyncio.sleep(0.05)
        except QuotaExceeded:
            return served


@pytest.mark.parametrize("refuse", [False, True])
def test_nobody_waits_and_the_setting_decides_until_they_answer_again(subject, refuse, monkeypatch):
    make, standing_still = subject

    async def test():
        async with Quotas(make(), LIMITS, refuse_unreachable=refuse).running() as quotas:
            monkeypatch.setattr("server.quotas.quotas.PATIENCE", 60.0)
            await admitted(quotas)
            monkeypatch.setattr("server.quotas.quotas.PATIENCE", 0.2)
            with standing_still():
                for _ in range(5):  # more than are allowed
                    if refuse:
                        with pytest.raises(QuotasUnreachable):
                            await admitted(quotas)
                    else:
                        await admitted(quotas)
            monkeypatch.setattr("server.quotas.quotas.PATIENCE", 60.0)
            served = await served_until_refused(quotas)
            assert served <= 1 or not refuse  # the one before still counts; while nobody counts, all are let in

    asyncio.run(test())


def test_the_event_loop_never_waits_for_the_lock(tmp_path):
    counters = machine_counters(tmp_path / "limits.sqlite")
    assert counters.places._database().execute("PRAGMA busy_timeout").fetchone() == (0,)
    asyncio.run(counters.places.close())


COUNTER = """
import asyncio, sys
from pathlib import Path
from server.quotas.machine import MachineCounters

counters = MachineCounters(lambda: Path(sys.argv[1]))

async def count():
    return sum([await counters.acquire_sliding_window_entry("a", 500, 3600, 1) for _ in range(300)])

print("ready", flush=True)
sys.stdin.read(1)
print(asyncio.run(count()))
"""


def test_processes_that_count_at_once_miss_nothing(tmp_path):
    command = [sys.executable, "-c", COUNTER, str(tmp_path / "limits.sqlite")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    counting = [subprocess.Popen(command, **pipes) for _ in range(3)]
    assert [process.stdout.readline() for process in counting] == ["ready\n"] * 3
    for process in counting:
        process.stdin.write(".")
        process.stdin.flush()
    assert sum(int(process.communicate()[0]) for process in counting) == 500


def test_a_process_that_is_killed_with_the_lock_stops_nobody_and_leaves_nothing_half_done(tmp_path):
    file = tmp_path / "limits.sqlite"

    async def test():
        async with Quotas(machine_counters(file), LIMITS, refuse_unreachable=True).running() as quotas:
            await admitted(quotas)
            with lock_holder(file) as holder:
                holder.kill()
                holder.wait()
                await admitted(quotas)
                with pytest.raises(QuotaExceeded):
                    await admitted(quotas)

    asyncio.run(test())


def test_a_file_that_is_damaged_is_begun_anew(tmp_path, monkeypatch):
    monkeypatch.setattr("server.quotas.quotas._PAUSE", 0.0)
    file = tmp_path / "limits.sqlite"
    file.write_bytes(b"damaged" * 10_000)

    async def test():
        async with (
            Quotas(machine_counters(file), LIMITS, refuse_unreachable=True).running() as one,
            Quotas(machine_counters(file), LIMITS, refuse_unreachable=True).running() as two,
        ):
            with pytest.raises(QuotasUnreachable):
                await admitted(one)
            await admitted(one)
            await admitted(two)
            for quotas in (one, two):
                with pytest.raises(QuotaExceeded):
                    await admitted(quotas)

    asyncio.run(test())


def test_who_comes_late_to_a_damaged_file_leaves_the_new_one(tmp_path, monkeypatch):
    file = tmp_path / "limits.sqlite"
    file.write_bytes(b"damaged" * 10_000)
    quick, late = MachineCounters(lambda: file), MachineCounters(lambda: file)

    def look(counters):
        with pytest.raises(sqlite3.DatabaseError), counters._noticing_damage():
            counters._database()

    def remove(remove=late._remove):
        look(quick)
        quick._database()
        remove()

    monkeypatch.setattr(late, "_remove", remove)
    look(late)
    assert quick._open.is_there()
    assert late._database() is not quick._database()
    assert late._open.number == quick._open.number
    asyncio.run(quick.close())
    asyncio.run(late.close())


def test_where_nothing_can_be_written_counts_end_with_the_server(tmp_path, monkeypatch):
    monkeypatch.setattr("server.startup.shared_directory", lambda: tmp_path / "private")
    kept = tmp_path / "new" / "limits.sqlite"
    assert limits_file(Settings(limits_file=kept)) == kept
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert limits_file(Settings(limits_file="/proc/nowhere/limits.sqlite")).parent == tmp_path / "private"
    (tmp_path / "link").symlink_to(kept)
    with pytest.raises(OSError, match="symbolic"):
        limits_file(Settings(limits_file=tmp_path / "link"))

    def refuse(*_):
        raise PermissionError  # as another user's file does, but not to root

    monkeypatch.setattr("server.startup.os.open", refuse)
    assert limits_file(Settings(limits_file=kept)).parent == tmp_path / "private"


def test_workers_meet_again_where_a_tidy_up_has_removed_the_file(tmp_path):
    file = tmp_path / "limits.sqlite"

    async def test():
        async with (
            Quotas(machine_counters(file), LIMITS, refuse_unreachable=True).running() as one,
            Quotas(machine_counters(file), LIMITS, refuse_unreachable=True).running() as two,
        ):
            await admitted(one)
            await admitted(two)
            for left in tmp_path.glob("limits.sqlite*"):
                left.unlink()
            await admitted(one)
            await admitted(two)
            for quotas in (one, two):
                with pytest.raises(QuotaExceeded):
                    await admitted(quotas)

    asyncio.run(test())
