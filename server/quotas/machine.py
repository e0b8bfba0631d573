"""Counts of all workers of one machine, in an SQLite file that they share.

SQLite keeps it whole whoever dies: the kernel frees the lock of a process that is killed, and what it had not finished
is as if it had not begun. While one that is stopped has the lock, which it has for microseconds, the event loops of
others go on, until whoever asks gives up. Time is the system's clock, so that a day's counts outlive a restart of the
machine; where it is set back, what was counted counts from then on as if it had just been.

Nothing is written through to a disk, since the event loop would wait for it: where a power cut leaves a file that is
damaged, another one is begun.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from limits.aio.storage import SlidingWindowCounterSupport, Storage
from limits.errors import StorageError
from loguru import logger

from server.quotas.counters import LEASE_SECONDS
from server.quotas.windows import Window

_TRY_EVERY = 0.002  # seconds
_MOST_PAGES = 16_384  # of 4 KiB: a stranger with many addresses fills no disk
_SCHEMA = """
PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
CREATE TABLE IF NOT EXISTS windows
    (key TEXT PRIMARY KEY, length INTEGER, previous INTEGER, current INTEGER, began REAL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ends ON windows (began + 2 * length);
CREATE TABLE IF NOT EXISTS places (subject TEXT, holder TEXT, until REAL, PRIMARY KEY (subject, holder)) WITHOUT ROWID;
"""
_FORGET = "DELETE FROM windows WHERE key IN (SELECT key FROM windows WHERE began + 2 * length < ? LIMIT ?)"
_WITH_EACH = 4  # more than the one that comes in with a request, so that no more are kept than count
_WHERE_FULL = 1024  # so many empty whole pages, in 40 ms; all that fill a file would keep the event loop for 20 s
_BEGIN_NOW = "UPDATE windows SET began = :now WHERE key = :key AND began > :now"

Answer = TypeVar("Answer")


class MachineCounters(Storage, SlidingWindowCounterSupport):
    """Windows and places; the file is made when it is first needed, and again where something has removed it."""

    STORAGE_SCHEME = None

    def __init__(self, file: Callable[[], Path]) -> None:
        """`file` names it, makes sure that others cannot read it, and may raise OSError."""
        super().__init__(wrap_exceptions=True)
        self._file = file
        self._open: _Open | None = None
        self._prepared = False

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        """What goes wrong here."""
        return (sqlite3.Error, OSError)

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count an amount, unless there is no room for it; a negative one gives back."""

        def acquire(database: sqlite3.Connection) -> bool:
            now = time.time()
            database.execute(_BEGIN_NOW, {"now": now, "key": key})
            window, _ = _window(database, key, expiry, now)
            if amount > 0 and window.used + amount > limit:
                return False
            window = window.with_more(amount)
            row = key, expiry, window.previous, window.current, now - window.age
            database.execute("INSERT OR REPLACE INTO windows VALUES (?, ?, ?, ?, ?)", row)
            database.execute(_FORGET, (now, _WITH_EACH))
            return True

        return await self._change(acquire)

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return both windows' counts and how long each will count, in seconds."""
        now = time.time()
        with self._noticing_damage():
            window, of_the_future = _window(self._database(), key, expiry, now)  # readers wait for nobody
        if of_the_future:  # but once: a caller that is refused by what is read here would never come to a hit
            await self._change(lambda database: database.execute(_BEGIN_NOW, {"now": now, "key": key}))
        return window.previous, expiry - window.age, window.current, 2 * expiry - window.age

    async def clear_sliding_window(self, key: str, expiry: int) -> None:  # noqa: ARG002 - as `limits` has it
        """Forget what was counted."""
        await self.clear(key)

    async def clear(self, key: str) -> None:
        """Forget what was counted."""
        await self._change(lambda database: database.execute("DELETE FROM windows WHERE key = ?", (key,)))

    async def check(self) -> bool:
        """Whether counting is possible."""
        return await self._change(lambda _: True)

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Not here: windows slide."""
        raise NotImplementedError

    async def get(self, key: str) -> int:
        """Not here: windows slide."""
        raise NotImplementedError

    async def get_expiry(self, key: str) -> float:
        """Not here: windows slide."""
        raise NotImplementedError

    async def reset(self) -> int | None:
        """Not here: the file is others' too."""
        raise NotImplementedError

    async def hold(self, subject: str, most: int, holder: str) -> int:
        """See Places."""

        def take(database: sqlite3.Connection) -> int:
            now = time.time()
            _free(database, now)
            (taken,) = database.execute("SELECT count(*) FROM places WHERE subject = ?", (subject,)).fetchone()
            if taken < most:
                _keep(database, {holder: subject}, now)
            return int(taken) + 1

        return await self._wrapped(take)

    async def renew(self, held: Mapping[str, str]) -> None:
        """See Places."""
        await self._wrapped(lambda database: _keep(database, held, time.time()))

    async def give_back(self, subject: str, holder: str) -> None:
        """See Places."""
        statement = "DELETE FROM places WHERE subject = ? AND holder = ?"
        await self._wrapped(lambda database: database.execute(statement, (subject, holder)))

    async def close(self) -> None:
        """Leave the file."""
        if self._open:
            self._open.database.close()
            self._open = None

    async def _wrapped(self, change: Callable[[sqlite3.Connection], Answer]) -> Answer:
        try:
            return await self._change(change)
        except self.base_exceptions as error:
            raise StorageError(error) from error

    async def _change(self, change: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Do it in a transaction of its own, as soon as no other process has one; make room where there is none."""
        with self._noticing_damage():
            try:
                return await self._transaction(change)
            except sqlite3.OperationalError as error:
                if _kind(error) != sqlite3.SQLITE_FULL:
                    raise
            # Apart: together with a change that fails it would be undone, and the file would stay full for ever.
            await self._transaction(lambda database: database.execute(_FORGET, (time.time(), _WHERE_FULL)))
            return await self._transaction(change)

    async def _transaction(self, change: Callable[[sqlite3.Connection], Answer]) -> Answer:
        while True:
            try:
                database = self._database()
                database.execute("BEGIN IMMEDIATE")
                break
            except sqlite3.OperationalError as error:
                if _kind(error) != sqlite3.SQLITE_BUSY:
                    raise
            await asyncio.sleep(_TRY_EVERY)
        with database:  # commits, or rolls back
            return change(database)

    @contextmanager
    def _noticing_damage(self) -> Iterator[None]:
        """Remove a file that is damaged, so that whoever asks next begins another one."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if _kind(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                logger.bind(error=str(error)).error("the counts of callers are damaged, and begin anew")
                self._remove()
            raise

    def _remove(self) -> None:
        """Unless another process has done so and begun another one."""
        if self._open and self._open.is_there():
            for ending in ("-wal", "-shm", ""):
                Path(f"{self._open.file}{ending}").unlink(missing_ok=True)

    def _database(self) -> sqlite3.Connection:
        if self._open and not self._open.is_there():
            self._open.database.close()
            self._open = None
        if self._open is None:
            file = self._file()
            file.touch(0o600)
            number = file.stat().st_ino
            # Open even where it is damaged, so that no other file gets its number before that is noticed.
            self._open = _Open(sqlite3.connect(file, timeout=0, isolation_level=None), file, number)
            self._prepared = False
        database = self._open.database
        if not self._prepared:
            database.execute(f"PRAGMA max_page_count = {_MOST_PAGES}")
            database.executescript(_SCHEMA)
            self._prepared = True
        return database


@dataclass(frozen=True, slots=True)
class _Open:
    database: sqlite3.Connection
    file: Path
    number: int
    """Of the file; another one may stand in its place later."""

    def is_there(self) -> bool:
        """Whether others find it by its name."""
        try:
            return self.file.stat().st_ino == self.number
        except FileNotFoundError:
            return False


def _kind(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # beside its more precise meaning


def _window(database: sqlite3.Connection, key: str, length: int, now: float) -> tuple[Window, bool]:
    """What was counted, and whether that was in a future that the clock has been set back from."""
    found = database.execute("SELECT previous, current, began FROM windows WHERE key = ?", (key,)).fetchone()
    if not found:
        return Window(length, 0, 0, 0.0), False
    previous, current, began = found
    window = Window(length, previous, current, 0.0).later(max(0.0, now - began))
    return window if window.used else Window(length, 0, 0, 0.0), began > now


def _free(database: sqlite3.Connection, now: float) -> None:
    """Places that nobody renews; those of a future that the clock has been set back from, too."""
    database.execute("DELETE FROM places WHERE until NOT BETWEEN ? AND ?", (now, now + 2 * LEASE_SECONDS))


def _keep(database: sqlite3.Connection, held: Mapping[str, str], now: float) -> None:
    until = now + LEASE_SECONDS
    rows = [(subject, holder, until) for holder, subject in held.items()]
    database.executemany("INSERT OR REPLACE INTO places VALUES (?, ?, ?)", rows)
