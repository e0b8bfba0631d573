"""Workers that share their work, in one process and without lanes: what is counted, and what is not trusted."""

import asyncio
import gc
import os
import shutil
import socket
import time
from contextlib import ExitStack, asynccontextmanager, closing
from pathlib import Path

import pytest
import uvloop
from loguru import logger
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from prometheus_client import REGISTRY

from inference.errors import DeadlineExceeded
from inference.task import Task
from inference.types import Options, StageTime, Transcript
from server import tracing
from server.pool import siblings
from server.pool.board import Board
from server.pool.driver import Patience
from server.pool.entry import Entry
from server.pool.limits import Limits
from server.pool.pool import Pool
from server.principal import Principal

SOMEBODY = Principal("somebody", "somebody")
ANSWER = Transcript((), "hi", "model", 1.0, 1.0, False, (StageTime("inference", 0.0, 0.1),))


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "asr-workers"


@pytest.fixture
def worker(directory, monkeypatch):
    monkeypatch.setattr(siblings, "_LOOK_SECONDS", 1000.0)  # they look when a test says so

    @asynccontextmanager
    async def worker(pid):
        """The pool of a worker with that process id, whose only lane is whoever gets from its backlog."""
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: pid)
            pool = Pool([], "model", Limits(1000.0, 1000.0), Patience(60, 1e6), directory)
        pool._backlog.lanes_ready = 1
        await pool.start()
        try:
            yield pool
        finally:
            await pool.close()

    return worker


def play(scene):
    async def inside():
        async with asyncio.timeout(20):
            await scene()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(inside())


def task(seconds=100.0):
    return Task("transcribe", "model", b"", Options(), time.monotonic() + seconds)


def put(pool, seconds=100.0, cost=1.0):
    entry = Entry(task(seconds), SOMEBODY, cost)
    pool._backlog.put(entry)
    return entry


def idle_lane(pool):
    """Whatever the pool has to do next."""
    return asyncio.create_task(pool._backlog.get())


async def look(pool):
    """See who is there, in the order of their names."""
    await pool._siblings._look()
    pool._siblings._others.sort(key=lambda board: board.path)


async def until(condition):
    while not condition():  # noqa: ASYNC110 - what is awaited sends no events
        await asyncio.sleep(0.001)


def counts():
    names = {
        "asr_rejected_requests_total": {"reason": "overloaded"},
        "asr_predicted_wait_seconds_count": {},
        "asr_deadlines_missed_total": {"place": "lane"},
        "asr_cancelled_requests_total": {"place": "lane"},
        "asr_cancelled_lane_seconds_total": {},
        "asr_running_requests": {},
    }
    queued = {f"{name} queued": REGISTRY.get_sample_value(name, {"place": "queue"}) for name in list(names)[2:4]}
    return {name: REGISTRY.get_sample_value(name, labels) for name, labels in names.items()} | queued


def counted_since(before):
    return {name: value - before[name] for name, value in counts().items() if value != before[name]}


def mappings(directory):
    return [line for line in Path("/proc/self/maps").read_text().splitlines() if str(directory) in line]


def test_what_was_let_in_at_one_worker_is_not_refused_at_the_other(worker):
    """Though less time is left than it is predicted to take."""

    async def scene():
        async with worker(1) as busy, worker(2) as helping:
            await look(busy)
            lane, before = idle_lane(helping), counts()
            entry = put(busy, seconds=30.0, cost=50.0)
            (await lane).succeed(ANSWER)
            assert [time.stage for time in (await entry.outcome).stages] == ["queue", "inference"]
            assert counted_since(before) == {}

    play(scene)


@pytest.mark.parametrize("leaves", [True, False])
def test_what_becomes_of_a_request_is_counted_at_one_worker(worker, leaves):
    async def scene():
        async with worker(1) as busy, worker(2) as helping:
            await look(busy)
            lane, before = idle_lane(helping), counts()
            asking = asyncio.create_task(busy.run(task(100.0 if leaves else 1.0), SOMEBODY, 0.25))
            fetched = await lane
            helping._backlog.hand_over(fetched)
            helping._backlog.begin(fetched)
            assert counted_since(before) == {"asr_predicted_wait_seconds_count": 1, "asr_running_requests": 1}
            if leaves:
                asking.cancel()
            with pytest.raises(asyncio.CancelledError if leaves else DeadlineExceeded):
                await asking
            await until(fetched.outcome.done)
            helping._backlog.end(fetched)
            await until(lambda: not busy._backlog.lent)
            name = "asr_cancelled_requests_total" if leaves else "asr_deadlines_missed_total"
            withdrawn = {"asr_cancelled_lane_seconds_total": 0.25} if leaves else {}
            assert counted_since(before) == {"asr_predicted_wait_seconds_count": 1, name: 1, **withdrawn}

    play(scene)


def test_fetched_work_is_no_part_of_the_trace_of_whoever_made_room_for_it(worker, monkeypatch):
    spans = []
    monkeypatch.setattr(tracing, "_takers", [spans.append])
    request = NonRecordingSpan(SpanContext(1, 1, False, TraceFlags(TraceFlags.SAMPLED)))

    async def scene():
        async with worker(1) as busy:
            entry = put(busy, seconds=0.3)
            async with worker(2) as helping:
                with trace.use_span(request):
                    lane = idle_lane(helping)
                with pytest.raises(DeadlineExceeded):
                    await entry.outcome
                lane.cancel()
        assert spans == []

    play(scene)


class Trap:
    """Whoever unpickles it makes a directory."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@asynccontextmanager
async def forged(directory, *pids):
    """Boards that say that something waits, and sockets where a trap does; what visitors ask there."""
    asked = []

    async def answer(reader, writer):
        asked.append(await reader.read(1))
        siblings._send(writer, Trap(directory.parent / "trap"))
        writer.close()

    with ExitStack() as stack:
        for pid in pids:
            board = Board(directory / f"{pid}.board", create=True)
            board.numbers = (0, 1)
            stack.enter_context(closing(await asyncio.start_unix_server(answer, board.socket)))
        yield asked


def belong_to_another_user(monkeypatch):
    """All files and processes do."""
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)


@pytest.mark.parametrize("pids", [[2], [1, 2]])
def test_a_directory_that_another_user_made_again_is_not_looked_at(worker, directory, monkeypatch, pids):
    warnings = []
    number = logger.add(lambda message: warnings.append(message.record["message"]), level="WARNING")

    async def scene():
        async with worker(1) as pool:
            shutil.rmtree(directory)
            directory.mkdir()
            async with forged(directory, *pids) as asked:
                before = mappings(directory / "2.board")
                belong_to_another_user(monkeypatch)
                await look(pool)
                await look(pool)
                assert mappings(directory / "2.board") == before
                lane = idle_lane(pool)
                await asyncio.sleep(0.1)
                assert asked == []
            assert warnings == ["this worker shares no work with the others"]
            monkeypatch.undo()
            await look(pool)
            assert (directory / "1.socket").is_socket()
            lane.cancel()

    play(scene)
    logger.remove(number)


@pytest.mark.parametrize("own", [True, False])
def test_nothing_is_fetched_from_another_user_between_two_looks(worker, directory, monkeypatch, own):
    async def scene():
        async with worker(1) as pool, forged(directory, 2) as asked:
            await look(pool)
            if not own:
                belong_to_another_user(monkeypatch)
            lane = idle_lane(pool)
            await until(lambda: asked and not pool._siblings._fetching)
            assert asked == [b"f" if own else b""]
            assert (directory.parent / "trap").exists() == own
            lane.cancel()

    play(scene)


@pytest.fixture
def dead(directory):
    def dead(pid, numbers, *, refusing):
        """The board of a worker that was killed; its socket refuses, or has gone too."""
        board = Board(directory / f"{pid}.board", create=True)
        board.numbers = numbers
        if refusing:
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(str(board.socket))
        return board.path

    return dead


@pytest.mark.parametrize("refusing", [True, False])
def test_the_idle_board_of_a_dead_worker_keeps_no_living_one_from_hearing(worker, dead, refusing):
    async def scene():
        async with worker(1) as busy, worker(3) as helping:
            board = dead(2, (1, 0), refusing=refusing)
            lane = idle_lane(helping)
            await look(busy)
            entry = put(busy)
            (await lane).succeed(ANSWER)
            await entry.outcome
            assert not board.exists()

    play(scene)


@pytest.mark.parametrize("refusing", [True, False])
def test_the_busy_board_of_a_dead_worker_keeps_nobody_from_helping(worker, dead, refusing):
    async def scene():
        async with worker(3) as busy, worker(1) as helping:
            board = dead(2, (0, 1), refusing=refusing)
            entry = put(busy)
            await look(helping)
            (await idle_lane(helping)).succeed(ANSWER)
            await entry.outcome
            assert not board.exists()

    play(scene)


def test_a_board_that_was_made_again_is_seen_at_the_next_look(worker, directory):
    async def scene():
        async with worker(1) as busy, worker(2) as helping:
            shutil.rmtree(directory)
            await look(busy)
            await look(helping)
            entry = put(busy)
            (await idle_lane(helping)).succeed(ANSWER)
            await entry.outcome

    play(scene)


def test_looks_leave_nothing_open(worker, directory):
    def opened():
        gc.collect()  # of earlier tests
        return len(mappings(directory)), len([*Path("/proc/self/fd").iterdir()])

    async def scene():
        async with worker(1) as one, worker(2) as other:

            async def look_around():
                shutil.rmtree(directory)
                for each in (one, other, one):
                    await look(each)
                await asyncio.sleep(0.01)  # sockets close a little later

            await look_around()
            before = opened()
            for _ in range(20):
                await look_around()
            assert opened() == before

    play(scene)
