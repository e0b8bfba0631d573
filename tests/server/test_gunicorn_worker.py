"""What the master learns of a worker by its heartbeat, which Uvicorn's loop asks for."""

import asyncio
import logging
import os
import socket
import time
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
import uvicorn_worker._workers
from gunicorn.config import Config
from uvicorn import Server

from loadtest.harness.processes import PATIENCE
from server import metrics_page
from server.gunicorn_worker import AsrWorker

HALF_OF_TIMEOUT = 1e6  # seconds: a heartbeat that waited for it would never come


@pytest.fixture
def worker(monkeypatch):
    """One that nobody has forked, with a socket of its own."""
    for name in ("uvicorn.error", "uvicorn.access"):
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)  # put back, since the worker changes it
    logs = SimpleNamespace(error_log=logging.getLogger("uvicorn.error"), access_log=logging.getLogger("uvicorn.access"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        worker = AsrWorker(1, os.getpid(), [listener], None, HALF_OF_TIMEOUT, Config(), logs)
        yield worker
        worker.tmp.close()


@pytest.fixture
def serving(worker, monkeypatch):
    """Runs the worker in this event loop, with an application that begins and ends when it is told to."""
    servers = []
    monkeypatch.setattr(uvicorn_worker._workers, "Server", lambda config: servers.append(Server(config)) or servers[0])

    @asynccontextmanager
    async def serving():
        life = SimpleNamespace(may_begin=asyncio.Event(), ends=asyncio.Event(), may_end=asyncio.Event())

        async def application(_scope, receive, send):
            await receive()
            await life.may_begin.wait()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            life.ends.set()
            await life.may_end.wait()
            await send({"type": "lifespan.shutdown.complete"})

        worker.wsgi = application
        forget(worker)
        task = asyncio.create_task(worker._serve())
        await asyncio.sleep(0)
        life.server = servers[0]
        yield life
        life.server.should_exit = True
        life.may_end.set()
        await task

    return serving


def forget(worker):
    os.utime(worker.tmp.fileno(), (0, 0))


def lives(worker):
    """Whether there was a heartbeat since."""
    return worker.tmp.last_update() > 0


async def heartbeat(worker):
    """Wait for the next one."""
    forget(worker)
    async with asyncio.timeout(PATIENCE):
        while not lives(worker):  # noqa: ASYNC110 - a file's time tells nobody
            await asyncio.sleep(0.01)


async def no_heartbeat(worker):
    forget(worker)
    await asyncio.sleep(1.5)
    return not lives(worker)


def test_a_clock_that_is_set_back_stops_no_heartbeat(worker, serving, monkeypatch):
    now = [time.time()]
    monkeypatch.setattr("uvicorn.server.time", SimpleNamespace(time=lambda: now[0]))

    async def test():
        async with serving() as life:
            life.may_begin.set()
            for _ in range(3):
                await heartbeat(worker)
                now[0] -= 3600

    asyncio.run(test())


def test_an_event_loop_that_stands_still_has_none(worker, serving):
    async def test():
        async with serving() as life:
            life.may_begin.set()
            await heartbeat(worker)
            forget(worker)
            time.sleep(1.5)  # noqa: ASYNC251 - which stands still
            assert not lives(worker)

    asyncio.run(test())


def test_none_while_it_begins_and_while_it_ends(worker, serving):
    """Else nobody would end a worker that hangs there."""

    async def test():
        async with serving() as life:
            assert await no_heartbeat(worker)
            assert not worker.serves
            life.may_begin.set()
            await heartbeat(worker)
            assert worker.serves
            life.server.should_exit = True
            await life.ends.wait()
            assert await no_heartbeat(worker)

    asyncio.run(test())


def test_files_of_metrics_are_looked_at_less_often(worker, monkeypatch):
    looks = []
    monkeypatch.setattr(metrics_page, "restore", lambda: looks.append(1))
    for _ in range(3):
        asyncio.run(worker.callback_notify())
    assert len(looks) == 1
