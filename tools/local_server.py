"""A server of one's own on the loopback: started, found ready, looked into, stopped."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tools.clips import REPOSITORY

_READY_SECONDS = 120.0
_STOP_SECONDS = 40.0


class ServerFailed(Exception):
    """The server did not start; the message ends with its log."""


class LocalServer:
    """`python -m gunicorn server.asgi:app` as a child process, for the length of a `with` block.

    Listens on 127.0.0.1 and a free port, whatever the settings given say.
    """

    def __init__(self, settings: Mapping[str, object], log: Path | None = None) -> None:
        """`settings` are environment variables by name, such as `{"ASR_LANES": 2}`; `log` receives its log lines."""
        self.host, self.port = "127.0.0.1", _free_port()
        directory = Path(tempfile.mkdtemp(prefix="asr-tools-")) if log is None else log.parent
        self.log = log or directory / "server.log"
        self._settings = {name: str(value) for name, value in settings.items()}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            # So that a tool that is told to end takes its server along.
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ASR_")}
        environment = {
            **inherited,
            "ASR_LOG_FORMAT": "json",
            "ASR_PROFILE": os.devnull,  # what is measured is named by the caller, not by a file lying about
            **self._settings,
            "ASR_BIND": f"{self.host}:{self.port}",
        }
        with self.log.open("wb") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "server.asgi:app"],
                cwd=REPOSITORY,
                env=environment,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def url(self) -> str:
        """Base address."""
        return f"http://{self.host}:{self.port}"

    def lane_pids(self) -> list[int]:
        """Pool processes that live now."""
        return [process.pid for process in self._children() if _is_lane(process)]

    def worker_pids(self) -> list[int]:
        """Gunicorn workers that live now."""
        lanes = {process.pid for process in self._children() if _is_pool_process(process)}
        return [process.pid for process in self._children() if process.pid not in lanes]

    def _children(self) -> list[psutil.Process]:
        if self._process is None or self._process.poll() is not None:
            return []
        try:
            return list(psutil.Process(self._process.pid).children(recursive=True))
        except psutil.NoSuchProcess:
            return []

    def _wait_until_ready(self) -> None:
        assert self._process is not None  # noqa: S101 - __enter__ has started it
        end = time.monotonic() + _READY_SECONDS
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise ServerFailed(f"the server ended before it was ready:\n{self._tail()}")
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:  # noqa: S310 - our own address
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise ServerFailed(f"the server was not ready within {_READY_SECONDS:g} s:\n{self._tail()}")

    def _stop(self) -> None:
        if self._process is None:
            return
        children = self._children()
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for child in psutil.wait_procs(children, timeout=5)[1]:
            child.kill()

    def _tail(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-2000:]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_pool_process(process: psutil.Process) -> bool:
    try:
        return any("multiprocessing" in part for part in process.cmdline())
    except psutil.Error:
        return True


def _is_lane(process: psutil.Process) -> bool:
    try:
        return any("spawn_main" in part for part in process.cmdline())
    except psutil.Error:
        return False
