"""Workers that share their work: what another user, a dead worker or a tidy-up left."""

import asyncio
import gc
import os
import shutil
import socket
from contextlib import ExitStack, asynccontextmanager, closing
from pathlib import Path

import pytest
from loguru import logger

from server.pool import siblings
from server.pool.board import Board
from tests.server.pool.sharing import ANSWER, idle_lane, look, play, put, until


def mappings(directory):
    return [line for line in Path("/proc/self/maps").read_text().splitlines() if str(directory) in line]


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
            board.numbers = (0, 1, 0)
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
            board = dead(2, (1, 0, 0), refusing=refusing)
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
            board = dead(2, (0, 1, 0), refusing=refusing)
            entry = put(busy)
            await look(helping)
            (await idle_lane(helping)).succeed(ANSWER)
            await entry.outcome
            assert not board.exists()

    play(scene)


def test_recordings_are_counted_over_all_workers_that_live(worker, dead):
    async def scene():
        async with worker(os.getpid()) as one, worker(os.getppid()) as other:
            other.show_recordings(3)
            dead(2**22, (0, 0, 5), refusing=True)
            await look(one)
            assert (one.recordings_elsewhere, other.recordings_elsewhere) == (3, 0)
            one.show_recordings(1)
            other.show_recordings(0)
            await look(other)
            assert (one.recordings_elsewhere, other.recordings_elsewhere) == (0, 1)

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
