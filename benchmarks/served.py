"""A running server: started in a group of its own, asked until it is ready, ended with all its processes."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

from benchmarks.contestants import Contestant
from benchmarks.wire import HttpLine, Line, Refused, WebSocketLine, http_message, websocket_message

_ROOT = Path(__file__).parent.parent
_READY_SECONDS = 120.0
_STOP_SECONDS = 40.0
_EVERY_SECONDS = 0.1
_ENVIRONMENT = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}  # gunicorn.conf.py's; nobody else shall lack it


class NotServing(Exception):
    """A server did not start; the message ends with its log."""


class Served:
    """For the length of a `with` block."""

    def __init__(self, contestant: Contestant, log: Path) -> None:
        self.contestant = contestant
        self.port = _free_port()
        self._log = log
        command = [part.replace("{port}", str(self.port)) for part in contestant.command]
        ours = {name: value.replace("{port}", str(self.port)) for name, value in contestant.environment.items()}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ASR_")}
        with log.open("w") as stream:
            self._process = subprocess.Popen(  # noqa: S603 # a command of benchmarks.contestants
                command,
                cwd=_ROOT,
                env={**inherited, **_ENVIRONMENT, **ours},
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        try:
            asyncio.run(self._wait())
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def message(self, clip: bytes, client: str = "") -> bytes:
        """Frame a WAV file as this server wants it."""
        return websocket_message(clip) if self.contestant.websocket else http_message(clip, client)

    async def line(self) -> Line:
        """Connect."""
        return await (WebSocketLine if self.contestant.websocket else HttpLine).open(self.port)

    async def computes(self) -> str:
        """Return the precision that this project's server tells in its metrics; nothing of servers that do not."""
        if self.contestant.websocket:
            return ""
        line = await HttpLine.open(self.port)
        try:
            found = re.search(r'^asr_precision\{precision="([\w-]+)"\} 1', await line.get("/metrics"), re.MULTILINE)
        except Refused:  # 404
            return ""
        finally:
            await line.close()
        return found[1] if found else ""

    def processor_seconds(self) -> float:
        """Processor time that all its processes have used so far."""
        fields = [_stat(pid) for pid in _group(self._process.pid)]
        ticks = sum(int(entry[11]) + int(entry[12]) for entry in fields if entry)
        return ticks / os.sysconf("SC_CLK_TCK")

    def processes(self) -> list[int]:
        """Ids of its living processes."""
        return _group(self._process.pid)

    def stop(self) -> None:
        """Ask it to end; then make sure that nothing of it is left."""
        self._process.terminate()
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
        finally:  # a second Ctrl-C shall leave nothing behind either
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    async def _wait(self) -> None:
        end = time.monotonic() + _READY_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            with contextlib.suppress(OSError, EOFError, Refused):
                line = await self.line()
                try:
                    if isinstance(line, HttpLine):
                        await line.get(self.contestant.ready)
                    return
                finally:
                    await line.close()
            await asyncio.sleep(_EVERY_SECONDS)
        log = self._log.read_text(encoding="utf-8", errors="replace")
        raise NotServing(f"{self.contestant.name} is not ready:\n{log[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _group(leader: int) -> list[int]:
    """All processes of the session that `leader` began."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if (entry := _stat(pid)) and int(entry[3]) == leader]


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on; empty where the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return []
