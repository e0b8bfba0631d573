"""Work goes to whichever worker has a lane free: a worker whose lanes idle fetches what waits at another.

    worker A (its lanes busy)                              worker B (a lane idle)
    put() ── its board says "1 waits" ── rings at B ─────▶ fetches from A: connects to A's socket
    the next entry of A's fair queue ── task ────────────▶ run() in its own pool
    entry.outcome ◀───────── transcript or error ───────── and closes the connection

Long connections pin requests to workers, so one could have a queue while another idles. Each worker has a Unix socket
and a board, two numbers in a mapped file that the others read: its idle lanes and its waiting entries. Whoever has work
and no lane rings at a worker that has one; whoever gets idle looks at the boards. A connection that ends without an
answer puts the entry back. All lies in a directory that only this user may enter, since what crosses is pickled.
"""

import asyncio
import dataclasses
import mmap
import os
import pickle
import struct
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from loguru import logger

from inference.task import Task
from inference.types import Transcript
from server.errors import Overloaded, ShuttingDown
from server.pool.backlog import Backlog
from server.pool.entry import Entry
from server.principal import Principal
from server.startup import private

_NUMBERS = struct.Struct("<ii")
_LENGTH = struct.Struct("<Q")
_RING, _FETCH = b"r", b"f"
_SOCKET, _BOARD = ".socket", ".board"
_LOOK_SECONDS = 1.0  # between two looks for workers that have come or gone


class Runs(Protocol):
    """The pool, as far as it is needed here."""

    async def run(self, task: Task, principal: Principal, cost: float) -> Transcript:
        """See `Pool.run`."""
        ...


class Siblings:
    """The other workers of this server; `start` before use, `close` after."""

    def __init__(self, directory: Path, backlog: Backlog, pool: Runs) -> None:
        self._directory = directory
        self._backlog = backlog
        self._pool = pool
        self._own: _Board | None = None
        self._others: dict[Path, _Board] = {}
        self._fetching = 0
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

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self._look()
            self._changed()

    async def _look(self) -> None:
        """See which workers have come and gone, and that the own board is still there."""
        if self._own is None or not self._own.path.exists():
            await self._open()
        paths = {path for path in self._directory.glob(f"*{_BOARD}") if path.stem != str(os.getpid())}
        self._others = {path: board for path, board in self._others.items() if path in paths}
        for path in paths - self._others.keys():
            with suppress(OSError, ValueError):  # it is being made, or ends
                self._others[path] = _Board(path)

    async def _open(self) -> None:
        """Make the board and the socket; where that fails, this worker goes on alone, and tries again at its next look.

        A tidy-up of temporary files may have taken the directory, and another user may have made it meanwhile.
        """
        if self._server is not None:
            self._server.close()
        self._own, alone = None, self._own is None and self._server is not None
        try:
            own = _Board(private(self._directory) / f"{os.getpid()}{_BOARD}", create=True)
            self._server = await asyncio.start_unix_server(self._answer, own.socket)
            self._own = own
        except OSError as error:
            if not alone:
                logger.bind(error=str(error)).warning("this worker shares no work with the others")

    def _changed(self) -> None:
        """Show the numbers; ring where somebody could help, or help."""
        idle, waiting = self._backlog.idle, self._backlog.waiting
        if self._own is not None:
            self._own.numbers = (idle, waiting)
        if waiting and not idle:
            helper = next((board for board in self._others.values() if board.numbers[0]), None)
            if helper is not None:
                self._begin(_ring(helper))
        elif idle > self._fetching and not waiting:
            busy = next((board for board in self._others.values() if board.numbers[1]), None)
            if busy is not None:
                self._fetching += 1
                self._begin(self._fetch(busy))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fetch(self, board: "_Board") -> None:
        """Do what waits at another worker."""
        try:
            reader, writer = await asyncio.open_unix_connection(board.socket)
        except OSError:
            self._fetching -= 1
            board.remove()  # it died, or else it would have removed it itself
            return
        try:
            writer.write(_FETCH)
            fetched = await _receive(reader)
        except (OSError, asyncio.IncompleteReadError):
            fetched = None
        finally:
            self._fetching -= 1
        try:
            if fetched is not None:
                await self._run(fetched, reader, writer)
        finally:
            writer.close()

    async def _run(
        self, fetched: tuple[Task, Principal, float], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Run it here and send back what came of it, unless it is withdrawn: then the connection ends."""
        running = asyncio.ensure_future(self._pool.run(*fetched))
        withdrawn = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({running, withdrawn}, return_when=asyncio.FIRST_COMPLETED)
            if running.done() and not isinstance(running.exception(), Overloaded | ShuttingDown):
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
        self._backlog.lent += 1
        receiving = asyncio.ensure_future(_receive(reader))
        try:
            _send(writer, (entry.task, entry.principal, entry.cost))
            await asyncio.wait({receiving, entry.outcome}, return_when=asyncio.FIRST_COMPLETED)
            answer = receiving.result() if receiving.done() and receiving.exception() is None else None
        finally:
            receiving.cancel()
            self._backlog.lent -= 1
            self._backlog.end(entry)
        if isinstance(answer, Transcript):
            entry.succeed(dataclasses.replace(answer, stages=answer.stages[1:]))  # its wait is counted from here
        elif isinstance(answer, Exception):
            entry.fail(answer)
        elif not entry.outcome.done():
            self._backlog.put_back(entry)


class _Board:
    """A worker's idle lanes and waiting entries, for the others to see."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """Map it; raise OSError or ValueError where it is not there yet or no more."""
        self.path = path
        self.socket = path.with_suffix(_SOCKET)
        if create:
            path.write_bytes(_NUMBERS.pack(0, 0))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _NUMBERS.size)

    @property
    def numbers(self) -> tuple[int, int]:
        """Idle lanes, waiting entries."""
        idle, waiting = _NUMBERS.unpack(self._memory[:])
        return idle, waiting

    @numbers.setter
    def numbers(self, numbers: tuple[int, int]) -> None:
        self._memory[:] = _NUMBERS.pack(*numbers)

    def remove(self) -> None:
        """Its worker has gone."""
        self.numbers = (0, 0)
        self.path.unlink(missing_ok=True)
        self.socket.unlink(missing_ok=True)


async def _ring(board: _Board) -> None:
    with suppress(OSError):
        _, writer = await asyncio.open_unix_connection(board.socket)
        writer.write(_RING)
        writer.close()


def _send(writer: asyncio.StreamWriter, message: Any) -> None:
    pickled = pickle.dumps(message)
    writer.write(_LENGTH.pack(len(pickled)))
    writer.write(pickled)


async def _receive(reader: asyncio.StreamReader) -> Any:
    """Raise IncompleteReadError where the connection ends before."""
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    return pickle.loads(await reader.readexactly(length))  # noqa: S301 - see the import
