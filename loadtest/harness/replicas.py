"""Several servers behind a proxy, each at a loopback address of its own, so that it can come back where it was."""

import os
import random
import re
import shutil
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self

from loadtest.harness import REPOSITORY
from loadtest.harness.processes import PATIENCE, Program, wait_until
from loadtest.harness.server import GunicornServer, Reached

_DEPLOY = REPOSITORY / "deploy"
_PORT, _FRONT_PORT = 8000, 8080
_COMMANDS: Mapping[str, tuple[str, ...]] = {
    "haproxy": ("haproxy", "-f", "{file}"),
    "nginx": ("nginx", "-c", "{file}", "-g", "daemon off; pid {directory}/pid; error_log stderr;"),
    "envoy": ("envoy", "--disable-hot-restart", "--log-level", "warning", "-c", "{file}"),
}
_FILES: Mapping[str, str] = {"haproxy": "haproxy.cfg", "nginx": "nginx.conf", "envoy": "envoy.yaml"}
_NGINX_WRITES = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
_REFUSED = "not reloaded: workers and configuration stay as they are"
PROXIES = tuple(_COMMANDS)
"""Those that `deploy/` has a file for."""


class Replicas:
    """Two servers, for the length of a `with` block."""

    def __init__(self, model: Path, directory: Path, settings: Mapping[str, object]) -> None:
        """`settings` are environment variables by name."""
        chance = random.SystemRandom()  # a network of one's own: others may do the same
        self.network = f"127.{chance.randrange(64, 250)}.{chance.randrange(250)}"
        self._model, self._directory, self._settings = model, directory, settings
        self._starts = 0
        self.servers: list[GunicornServer] = []

    def __enter__(self) -> Self:
        try:
            self.servers = [self._start(number) for number in range(2)]
            for server in self.servers:
                server.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.servers:
            server.kill_all()

    def kill(self, number: int) -> None:
        """SIGKILL for the whole of one; it is gone, with all its connections, when this returns."""
        self.servers[number].kill_all()
        self.servers[number].assert_gone()

    def terminate(self, number: int) -> None:
        """SIGTERM, and wait for the end."""
        self.servers[number].stop()

    def start_again(self, number: int) -> None:
        """Start it where it was, and wait until it is ready."""
        self.servers[number] = self._start(number)
        self.servers[number].wait_ready()

    def reload_all(self) -> None:
        """SIGHUP for both, and wait until new workers serve alone."""
        old = {worker for server in self.servers for worker in server.workers()}

        def reloaded(server: GunicornServer) -> bool:
            assert not (refused := server.logged(_REFUSED)), refused
            return bool(server.workers()) and old.isdisjoint(server.workers())

        for server in self.servers:
            server.process.send_signal(signal.SIGHUP)
        for server in self.servers:
            # It starts twice, since it checks first; and looking at its log takes time from it.
            wait_until(partial(reloaded, server), "new workers alone", 3 * PATIENCE, pause=0.5)
            server.wait_ready()

    def _start(self, number: int) -> GunicornServer:
        self._starts += 1
        directory = self._directory / f"start-{self._starts}"
        directory.mkdir(parents=True)
        host = f"{self.network}.{11 + number}"
        settings = {"ASR_AGENT_BIND": f"{host}:8001", "ASR_TRUSTED_PROXIES": "127.0.0.1", **self._settings}
        return GunicornServer(self._model, directory, settings, Reached((host, _PORT)))


class Proxy(Program):
    """One of `PROXIES`, as its file in `deploy/` has it; only addresses and places of files are other ones."""

    def __init__(self, name: str, replicas: Replicas, directory: Path) -> None:
        """Start it."""
        directory.mkdir(parents=True, exist_ok=True)
        self.directory, file = directory, directory / _FILES[name]
        text = _moved((_DEPLOY / name / file.name).read_text(encoding="utf-8"), replicas.network, directory)
        file.write_text(f"user root;\n{text}" if name == "nginx" and os.geteuid() == 0 else text, encoding="utf-8")
        command = [part.format(file=file, directory=directory) for part in _COMMANDS[name]]
        super().__init__(command, {}, directory / "proxy.log", (f"{replicas.network}.10", _FRONT_PORT))

    def wait_ready(self) -> None:
        """Return when it listens; raise AssertionError where it does not."""
        wait_until(self._listens, "the proxy listens")

    def ask(self, command: str) -> str:
        """Ask HAProxy at its socket."""
        path = str(self.directory / "haproxy.sock")
        with socket.socket(socket.AF_UNIX) as connection:
            # It listens there shortly after it does elsewhere.
            wait_until(lambda: self._listens() and connection.connect_ex(path) == 0, path)
            connection.sendall(f"{command}\n".encode())
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    def _listens(self) -> bool:
        assert self.process.poll() is None, self.last_words()
        with suppress(OSError), socket.create_connection(self.address):
            return True
        return False


def installed(name: str) -> bool:
    """Whether a proxy's program is on the PATH."""
    return shutil.which(_COMMANDS[name][0]) is not None


def _moved(text: str, network: str, directory: Path) -> str:
    """A file of `deploy/` with this machine's addresses and places."""
    front = f"{network}.10"
    substitutions = {
        r"10\.0\.0\.(1[12])\b": rf"{network}.\1",
        r"bind :8080": f"bind {front}:8080",
        r"listen 8080": f"listen {front}:8080",
        r"address: 0\.0\.0\.0": f"address: {front}",
        r"/run/haproxy/admin\.sock": f"{directory}/haproxy.sock",
        r"(?m)^http \{": "http {" + "".join(f" {kind}_temp_path {directory}/{kind};" for kind in _NGINX_WRITES),
    }
    for pattern, replacement in substitutions.items():
        text = re.sub(pattern, replacement, text)
    return text
