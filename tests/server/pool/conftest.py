"""Workers that share their work, in one process and without lanes."""

import os
from contextlib import asynccontextmanager

import pytest

from server.pool import siblings
from server.pool.driver import Patience
from server.pool.limits import Limits
from server.pool.pool import Pool


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
