"""How many connections a worker takes on, and which one makes room for a new one.

Silence costs a stranger nothing, so that no number of silent connections may keep others out: it is the connection that
has been idle longest that goes, and a client is only turned away where every connection has a request under way.
"""

import asyncio
import select
from typing import Protocol

from server import metrics
from server.http.limits import ConnectionLimits
from server.http.listeners import Listener

_TURNED_AWAY = 64  # connections that get a reason; those beyond are cut


class Connection(Protocol):
    """What is known here of a connection."""

    server: tuple[str, int | None] | None
    """Where it came to."""
    transport: asyncio.Transport


class Connections:
    """Those of one worker. Operators have theirs at a listener of their own, where nobody counts."""

    def __init__(self, limits: ConnectionLimits, management: Listener | None = None) -> None:
        self.limits = limits
        self._management = management
        self._taken: set[Connection] = set()
        self._idle: dict[Connection, None] = {}
        """Those that are taken and have no request under way, whoever is idle longest first."""
        self._refused: set[Connection] = set()

    def take(self, connection: Connection) -> bool:
        """Take a new one on, if need be for the one that has been idle longest; False where there is none."""
        if self._management and self._management.got(connection.server):
            return True
        if len(self._taken) >= self.limits.connections and not self._make_room():
            self._refused.add(connection)
            return False
        self._taken.add(connection)
        metrics.CONNECTIONS.set(len(self._taken))
        self.rest(connection)
        return True

    @property
    def many_refused(self) -> bool:
        """Whether so many wait for the end of their refusal that no more are to hear why."""
        return len(self._refused) > _TURNED_AWAY

    def rest(self, connection: Connection) -> None:
        """It is idle from now on."""
        if connection in self._taken:
            self._idle.pop(connection, None)
            self._idle[connection] = None

    def work(self, connection: Connection) -> None:
        """It is not idle any more: it has a request under way, or is about to end."""
        self._idle.pop(connection, None)

    def lose(self, connection: Connection) -> None:
        """It has ended."""
        self._taken.discard(connection)
        metrics.CONNECTIONS.set(len(self._taken))
        self._idle.pop(connection, None)
        self._refused.discard(connection)

    def _make_room(self) -> bool:
        for connection in self._idle:
            if not _is_under_way(connection.transport):
                self.lose(connection)
                metrics.CONNECTIONS_CUT.inc()
                connection.transport.abort()  # nothing is on its way, either way: its client sees an end
                return True
        return False


def _is_under_way(transport: asyncio.Transport) -> bool:
    """Whether an answer is still to be taken, or a request has come that nobody has looked at yet."""
    if transport.get_write_buffer_size():
        return True
    if transport.is_closing():
        return False
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))
