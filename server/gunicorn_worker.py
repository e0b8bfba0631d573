"""The Gunicorn worker: Uvicorn's, with this server's protocol, and with a failed start that ends nobody else."""

import math
import mmap
import sys
import time
from typing import Any, ClassVar

from gunicorn.arbiter import Arbiter
from uvicorn_worker import UvicornWorker

from inference.process import die_with
from server import handover, metrics_page

_BOOT_ERRORS = (Arbiter.WORKER_BOOT_ERROR, Arbiter.APP_LOAD_ERROR)
_LONGEST_PAUSE = 30.0  # seconds
# For answers to requests that were not finished, to end the lanes, and to send the last spans: seconds at least, and a
# share of the grace.
_LAST_WORDS, _LAST_WORDS_SHARE = 2.0, 0.1


class AsrWorker(UvicornWorker):  # type: ignore[misc]
    """A Uvicorn worker that finishes its requests before it goes, and ends with its master."""

    CONFIG_KWARGS = {  # noqa: RUF012 - the base class's own way
        "loop": "uvloop",
        "http": "server.http.protocol:HttpProtocol",
        "ws": "none",
        "proxy_headers": False,  # ASR_TRUSTED_PROXIES, read by server/http/auth.py
        "access_log": False,  # the middleware logs each request, with its id
    }
    failed_starts: ClassVar[int] = 0
    """Workers in a row that ended before they served; the master counts (`exited`), and each fork inherits it."""
    succeeds: ClassVar[bool] = False
    """Whether workers that are forked now take over from others; the master says so."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        # The master kills what lives longer than its own: before that whoever still waits is to be told.
        grace = self.cfg.graceful_timeout
        self.config.timeout_graceful_shutdown = max(grace - max(_LAST_WORDS, _LAST_WORDS_SHARE * grace), grace / 2)
        # Each second by the event loop's clock, Uvicorn asks if so much has passed since the last heartbeat by the
        # system's, which may be set back while the master counts by one that cannot: let it always have passed.
        self.config.timeout_notify = -math.inf
        self._served = mmap.mmap(-1, 1)  # written by the worker, read by the master
        self._look_at = 0.0
        # Gunicorn ends a worker whose heartbeat stops; one that hangs before its first would be waited for for ever.
        self.notify()

    def init_process(self) -> None:
        """Run the worker's whole life.

        A worker that cannot load the application makes Gunicorn end the server. That is right at its start, where
        no other worker serves; later, with a package damaged on the disk, say, others do and this one is tried again.
        """
        die_with(self.ppid)  # Uvicorn's workers do not look whether they still have a master
        if self.failed_starts:
            self._pause()
        handover.patience = self.cfg.graceful_timeout if self.succeeds else 0.0
        try:
            super().init_process()
        except SystemExit as leaving:
            if leaving.code not in _BOOT_ERRORS or self._is_of_the_start:
                raise
            sys.exit(1)
        except Exception:
            if self._is_of_the_start:
                raise
            self.log.exception("a worker cannot start")
            sys.exit(1)

    def load_wsgi(self) -> None:
        """Import the application, and with it its metrics."""
        metrics_page.prepare()
        super().load_wsgi()

    async def callback_notify(self) -> None:
        """Tell the master that the event loop turns: each second, from when it listens until it drains."""
        await super().callback_notify()
        self._served[0] = 1
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + self.timeout  # half of Gunicorn's
        try:
            metrics_page.restore()
        except OSError as error:
            self.log.warning("metric files cannot be made: %s", error)

    @property
    def serves(self) -> bool:
        """Whether it listens, or did before it ended."""
        return bool(self._served[0])

    def exited(self) -> None:
        """Take note, in the master, that this worker's process has gone."""
        AsrWorker.failed_starts = 0 if self.serves else AsrWorker.failed_starts + 1

    @property
    def _is_of_the_start(self) -> bool:
        return bool(self.age <= self.cfg.workers) and not self.succeeds

    def _pause(self) -> None:
        """Wait before the next try, twice as long each time; the others need the processors."""
        seconds = min(_LONGEST_PAUSE, 2.0 ** (self.failed_starts - 1))
        self.log.error("%d workers in a row could not start; the next one waits %g s", self.failed_starts, seconds)
        self.init_signals()  # until now those of the master, which would not end this process
        time.sleep(seconds)
        self.notify()
