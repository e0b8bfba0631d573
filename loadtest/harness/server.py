"""Starts, observes and stops a real Gunicorn."""

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from loadtest.harness.processes import PATIENCE, Program, wait_until

GENEROUS: Mapping[str, str] = {
    "ASR_WORKERS": "1",
    "ASR_LANES": "2",
    "ASR_THREADS": "1",
    "ASR_REQUEST_TIMEOUT": "150",
    "ASR_MAX_QUEUE_SECONDS": "100000",
    "ASR_HANG_SECONDS": "140",
    "ASR_LANE_MEMORY_MB": "100000",
    "ASR_GRACE_SECONDS": "150",
    "ASR_LOG_LEVEL": "DEBUG",
}
"""Limits that a busy machine does not reach; tests of a limit set it themselves."""

_COMMAND = [sys.executable, "-m", "gunicorn", "server.asgi:app"]


@dataclass(frozen=True, slots=True)
class Reached:
    """Where a server listens, and how it is reached there."""

    address: tuple[str, int] | None = None
    """Host and port; without them 127.0.0.1 and a free port."""
    url: str = ""
    """Where it differs from these; `{port}` stands for the port."""
    transport: Mapping[str, Any] = field(default_factory=dict)
    """Options of httpx.HTTPTransport."""


class ServerFailed(Exception):
    """The server ended before it was ready; the message ends with its log."""


class GunicornServer(Program):
    """One run of `python -m gunicorn server.asgi:app` on 127.0.0.1 and a free port."""

    def __init__(
        self,
        model: Path,
        directory: Path,
        settings: Mapping[str, object],
        reached: Reached = Reached(),
        wrapper: Sequence[str] = (),
    ) -> None:
        """`settings` are environment variables by name; the log and what is temporary go into `directory`.

        `wrapper` is a command that executes the one given to it as arguments.
        """
        self.directory = Path(directory)
        environment = {
            "ASR_MODEL": str(model),
            "ASR_BIND": f"{reached.address[0] if reached.address else '127.0.0.1'}:{{port}}",
            "ASR_PROFILE": os.devnull,  # a file lying about would be a setting
            "ASR_KEYS_FILE": str(self.directory / "keys.json"),  # so would this
            "ASR_LIMITS_FILE": str(self.directory / "limits.sqlite"),  # and what others have used
            "ASR_LOG_FORMAT": "json",
            "TMPDIR": str(self.directory),
        }
        given = {name: str(value) for name, value in settings.items()}
        self._lanes = int(given.get("ASR_WORKERS", 1)) * int(given.get("ASR_LANES", 1))
        super().__init__([*wrapper, *_COMMAND], environment | given, self.directory / "server.log", reached.address)
        self.url = reached.url.replace("{port}", str(self.port)) or self.url
        self._transport = reached.transport

    def client(self, **options: Any) -> httpx.Client:
        """Make a client that keeps its connections."""
        if self._transport:
            options["transport"] = httpx.HTTPTransport(**self._transport)
        return httpx.Client(**{"base_url": self.url, "timeout": PATIENCE, **options})

    def post(self, audio: Any, **headers: str) -> httpx.Response:
        """Transcribe on a connection of its own; header names are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with self.client() as client:
            return client.post("/transcribe", content=audio, headers=named)

    def is_ready(self) -> bool:
        """Whether `/readyz` says so."""
        with suppress(httpx.TransportError), self.client() as client:
            return client.get("/readyz").status_code == 200
        return False

    def wait_ready(self) -> None:
        """Return when it can transcribe; raise ServerFailed where it ends instead."""

        def ready() -> bool:
            if self.process.poll() is not None:
                raise ServerFailed(f"the server ended before it was ready:\n{self.last_words()}")
            # Asked late and seldom, since each question counts as one of ASR_MAX_REQUESTS, and one worker answers.
            return len(self.logged("lane ready")) >= self._lanes and self.is_ready()

        wait_until(ready, "ready", pause=0.2)

    def metric(self, name: str, **labels: str) -> float:
        """Sum of the samples of that name whose labels include these."""
        with self.client() as client:
            families = text_string_to_metric_families(client.get("/metrics").text)
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    def wait_metric(self, value: float, name: str, **labels: str) -> None:
        """Until a metric has that value."""
        wait_until(lambda: self.metric(name, **labels) == value, f"{name}{labels} is {value}")

    def wait_idle(self) -> None:
        """Until nothing waits and nothing runs: every permit has come back."""
        self.wait_metric(0, "asr_running_requests")
        self.wait_metric(0, "asr_queued_lane_seconds")

    @property
    def master(self) -> psutil.Process:
        """Gunicorn's arbiter."""
        return psutil.Process(self.process.pid)

    def workers(self) -> list[psutil.Process]:
        """Live Gunicorn workers."""
        with suppress(psutil.NoSuchProcess):
            return [child for child in self.master.children() if not _runs(child, "resource_tracker")]
        return []

    def lanes(self) -> list[psutil.Process]:
        """Live pool processes, the oldest first."""
        return self._children_that_run("spawn_main")

    def decoders(self, *, waiting: bool = False) -> list[psutil.Process]:
        """Live processes that decode recordings, or those that wait for one, the oldest first."""
        found = []
        for child in self._children_that_run("decoder_main"):
            with suppress(psutil.NoSuchProcess):
                found += [child] if (child.name() == "asr-decoder") != waiting else []
        return found

    def _children_that_run(self, function: str) -> list[psutil.Process]:
        found = []
        for worker in self.workers():
            with suppress(psutil.NoSuchProcess):
                found += [child for child in worker.children() if _runs(child, function, unknown=False)]
        return sorted(found, key=lambda process: process.create_time())

    def log_lines(self) -> list[Any]:
        """What was logged so far, but a line that is just being written; whatever is no JSON is kept as a text."""
        lines = self.log.read_text(encoding="utf-8").rpartition("\n")[0].splitlines()
        return [json.loads(line) if line.startswith("{") else line for line in lines]

    def logged(self, message: str) -> list[dict[str, Any]]:
        """Log lines with that message."""
        return [line for line in self.log_lines() if isinstance(line, dict) and line["message"] == message]

    def stop(self, signal_number: int = signal.SIGTERM) -> None:
        """End it; raise AssertionError where something stays behind."""
        self.process.send_signal(signal_number)
        self.process.wait(PATIENCE)
        self.assert_gone()
        assert not list(self.directory.glob("asr-metrics-*")), "metrics files were left behind"


def _runs(process: psutil.Process, function: str, *, unknown: bool = True) -> bool:
    """Whether a process runs that function or module; `unknown` for one that is gone, or a zombie."""
    with suppress(psutil.Error):
        return function in " ".join(process.cmdline())
    return unknown
