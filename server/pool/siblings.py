"""Work goes to whichever worker has a lane free: a worker whose lanes idle fetches what waits at another.

    worker A (its lanes busy)                              worker B (a lane idle)
    put() ── its board says "1 waits" ── rings at B ─────▶ fetches from A: connects to A's socket
    the next entry of A's fair queue ── task ────────────▶ run_part() in its own pool
    entry.outcome ◀───────── transcript or error ───────── and closes the connection

Long connections pin requests to workers, so one could have a queue while another idles. Each worker has a Unix socket
and a board, numbers in a mapped file that the others read: its idle lanes and its waiting entries. Whoever has work
and no lane rings at a worker that has one; whoever gets idle looks at the boards. A connection that ends without an
answer puts the entry back. What crosses is pickled: all lies in a directory that only this user may enter, and nothing
is fetched from anybody else.
"""

import asyncio
import dataclasses
import os
import pickle
import socket
import struct
import sys
import time
from collections.abc import Coroutine, Iterator
from contextlib import closing, suppress
from contextvars import Context
from pathlib import Path
from typing import Any, Protocol

from loguru import logger

from inference.task import Task
from inference.types import Transcript
from server.errors import ShuttingDown
from server.pool.backlog import Backlog
from server.pool.board import BOARD, Board
from server.pool.entry import Entry
from server.principal import Principal
from server.startup import private

_IDLE, _WAITING, _RECORDINGS = 0, 1, 2  # their places
_LENGTH = struct.Struct("<Q")
_CREDENTIALS = struct.Struct("iII")  # Linux's `struct ucred`: process, user, group
_RING, _FETCH = b"r", b"f"
_LOOK_SECONDS = 1.0  # between two looks for workers that have come or gone


class Runs(Protocol):
    """The pool, as far as it is needed here."""

    async def run_part(self, task: Task, principal: Principal, cost: float) -> Transcript:
        """See `Pool.run_part`: what is fetched was let in where it came from, and is counted there."""
        ...


class Siblings:
    """The other workers of this server; `start` before use, `close` after."""

    def __init__(self, directory: Path, backlog: Backlog, pool: Runs) -> None:
        self._directory = directory
        self._backlog = backlog
        self._pool = pool
        self._path = directory / f"{os.getpid()}{BOARD}"
        self._own: Board | None = None
        self._others: list[Board] = []
        self._alone = False
        """Whether the log has it that nothing is shared."""
        self._fetching = self._recordings = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Put up the board, and listen."""
        await self._look()
        self._backlog.on_change = self._changed
        self._begin(self._keep_looking())

    async def close(self) -> None:
        """Fetch nothing more, and give nothing more away."""
        self._backlog.on_change = None
        if self._own is not None:
            self._own.remove()
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def recordings(self) -> int:
        """How many the other workers have under way."""
        return sum(board.numbers[_RECORDINGS] for board in self._others if board.is_kept)

    def show_recordings(self, count: int) -> None:
        """Tell the others how many are under way here."""
        self._recordings = count
        self._changed()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self._look()
            self._changed()

    async def _look(self) -> None:
        """See that the own board is still there, and which others are; where that fails, go on alone until the next.

        A tidy-up of temporary files may have taken the directory, and another user may have made it again: what lies
        there then is not even looked at.
        """
        try:
            private(self._directory)
            if self._own is None or not self._path.exists():
                await self._open()
        except OSError as error:
            self._own, self._others = None, []
            if not self._alone:
                logger.bind(error=str(error)).warning("this worker shares no work with the others")
            self._alone = True
            return
        self._alone = False
        self._others = []  # all anew: under the name of one there may be another by now
        for path in {*self._directory.glob(f"*{BOARD}")} - {self._path}:
            with suppress(OSError, ValueError):  # it is being made, or ends
                self._others.append(Board(path))

    async def _open(self) -> None:
        """Make the board and the socket."""
        if self._server is not None:
            self._server.close()
        own = Board(self._path, create=True)
        self._server = await asyncio.start_unix_server(self._answer, own.socket)
        self._own = own

    def _changed(self) -> None:
        """Show the numbers; ring where somebody could help, or help."""
        idle, waiting = self._backlog.idle, self._backlog.waiting
        if self._own is not None:
            self._own.numbers = (idle, waiting, self._recordings)
        if waiting and not idle and any(self._showing(_IDLE)):
            self._begin(self._ring())
        elif idle > self._fetching and not waiting and any(self._showing(_WAITING)):
            self._fetching += 1
            self._begin(self._fetch())

    def _showing(self, number: int) -> Iterator[Board]:
        return (board for board in self._others if board.numbers[number])

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        # In no request's context, whoever calls: spans of this work are none of the caller's.
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, number: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Reach a worker whose board shows this; raise OSError where there is none."""
        for board in self._showing(number):
            try:
                reader, writer = await asyncio.open_unix_connection(board.socket)
            except (ConnectionRefusedError, FileNotFoundError):
                board.remove()  # it died, or else it would have removed it itself
            else:
                if _is_own(writer):
                    return reader, writer
                writer.close()
        raise ConnectionRefusedError("there is none any more")

    async def _ring(self) -> None:
        """Tell a worker with an idle lane that something waits here."""
        with suppress(OSError):
            _, writer = await self._connect(_IDLE)
            writer.write(_RING)
            writer.close()

    async def _fetch(self) -> None:
        """Do what waits at another worker."""
        try:
            reader, writer = await self._connect(_WAITING)
        except OSError:
            self._fetching -= 1
            return
        with closing(writer):
            try:
                writer.write(_FETCH)
                fetched = await _receive(reader)
            except (OSError, asyncio.IncompleteReadError):
                return
            finally:
                self._fetching -= 1
            if fetched is not None:
                await self._run(fetched, reader, writer)

    async def _run(
        self, fetched: tuple[Task, Principal, float], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Run it here and send back what came of it, unless it is withdrawn: then the connection ends."""
        running = asyncio.ensure_future(self._pool.run_part(*fetched))
        withdrawn = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({running, withdrawn}, return_when=asyncio.FIRST_COMPLETED)
            if running.done() and not isinstance(running.exception(), ShuttingDown):
                with suppress(OSError):
                    _send(writer, running.exception() or running.result())
                    await writer.drain()
        finally:
            running.cancel()
            withdrawn.cancel()
            await asyncio.gather(running, withdrawn, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Another worker rings, or fetches."""
        try:
            if await reader.read(1) != _FETCH:
                self._changed()
            elif (entry := self._backlog.get_nowait()) is None or entry.outcome.done():
                _send(writer, None)
            else:
                await self._lend(entry, reader, writer)
        except OSError:
            pass  # it ended meanwhile
        finally:
            writer.close()

    async def _lend(self, entry: Entry, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Have an entry done elsewhere; whatever ends the connection without an answer puts it back."""
        self._backlog.hand_over(entry)
        entry.started = time.monotonic()  # an idle lane fetched it
        self._backlog.lent += 1
        receiving = asyncio.ensure_future(_receive(reader))
        try:
            _send(writer, (entry.task, entry.principal, entry.cost))
            await asyncio.wait({receiving, entry.outcome}, return_when=asyncio.FIRST_COMPLETED)
            answer = receiving.result() if receiving.done() and receiving.exception() is None else None
        finally:
            receiving.cancel()
            self._backlog.lent -= 1
            entry.started = 0.0  # it is counted as running where its lane is
            self._backlog.end(entry)
        if isinstance(answer, Transcript):
            entry.succeed(dataclasses.replace(answer, stages=answer.stages[1:]))  # its wait is counted from here
        elif isinstance(answer, Exception):
            entry.fail(answer)
        elif not entry.outcome.done():
            self._backlog.put_back(entry)


def _is_own(writer: asyncio.StreamWriter) -> bool:
    """Whether this user listens there: since the last look another may have made the directory again."""
    if sys.platform != "linux":
        return True
    peer = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(peer)
    return bool(user == os.geteuid())


def _send(writer: asyncio.StreamWriter, message: Any) -> None:
    pickled = pickle.dumps(message)
    writer.write(_LENGTH.pack(len(pickled)))
    writer.write(pickled)


async def _receive(reader: asyncio.StreamReader) -> Any:
    """Raise IncompleteReadError where the connection ends before."""
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    return pickle.loads(await reader.readexactly(length))  # noqa: S301 - see the import
