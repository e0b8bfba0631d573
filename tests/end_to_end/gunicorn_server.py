"""Starts, observes and stops a real Gunicorn."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0  # seconds; however slow a machine is, what has not happened by then never will

# Limits that a busy machine does not reach; tests of a limit set it themselves.
_GENEROUS = {
    "ASR_WORKERS": "1",
    "ASR_LANES": "2",
    "ASR_THREADS": "1",
    "ASR_REQUEST_TIMEOUT": "150",
    "ASR_MAX_QUEUE_SECONDS": "100000",
    "ASR_HANG_SECONDS": "140",
    "ASR_LANE_MEMORY_MB": "100000",
    "ASR_GRACE_SECONDS": "150",
    "ASR_LOG_FORMAT": "json",
    "ASR_LOG_LEVEL": "DEBUG",
}


def wait_until(condition, what, seconds=PATIENCE, pause=0.02):
    """Return what `condition` gives as soon as it is true."""
    give_up = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < give_up, f"not within {seconds} s: {what}"
        time.sleep(pause)
    return result


class GunicornServer:
    """One run of `python -m gunicorn server.asgi:app`."""

    def __init__(self, model, directory, settings):
        self.directory = Path(directory)
        self._mark = uuid.uuid4().hex
        self._log = self.directory / "server.log"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {
            "ASR_MODEL": str(model),
            "ASR_BIND": f"127.0.0.1:{self.port}",
            "ASR_PROFILE": str(self.directory / "no-profile.yaml"),
            "TMPDIR": str(self.directory),
            "GUNICORN_TEST_MARK": self._mark,
        }
        command = [sys.executable, "-m", "gunicorn", "server.asgi:app"]
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=_inherited() | _GENEROUS | environment | settings,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def client(self, **options):
        return httpx.Client(**{"base_url": self.url, "timeout": PATIENCE, **options})

    def post(self, audio, **headers):
        """Transcribe on a connection of its own; header names are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(f"{self.url}/transcribe", content=audio, headers=named, timeout=PATIENCE)

    def is_ready(self):
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/readyz", timeout=PATIENCE).status_code == 200
        return False

    def wait_ready(self):
        def ready():
            assert self.process.poll() is None, self._log.read_text()
            # Asked late and seldom, since each question counts as one of ASR_MAX_REQUESTS.
            return self.logged("lane ready") and self.is_ready()

        wait_until(ready, "ready", pause=0.2)

    def metric(self, name, **labels):
        """Sum of the samples of that name whose labels include these."""
        families = text_string_to_metric_families(httpx.get(f"{self.url}/metrics", timeout=PATIENCE).text)
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    def wait_metric(self, value, name, **labels):
        wait_until(lambda: self.metric(name, **labels) == value, f"{name}{labels} is {value}")

    def wait_idle(self):
        """Until nothing waits and nothing runs: every permit has come back."""
        self.wait_metric(0, "asr_running_requests")
        self.wait_metric(0, "asr_queued_audio_seconds")

    @property
    def master(self):
        return psutil.Process(self.process.pid)

    def workers(self):
        return [child for child in self.master.children() if not _is_tracker(child)]

    def lanes(self):
        """Live pool processes, the oldest first."""
        found = [child for worker in self.workers() for child in worker.children() if _is_lane(child)]
        return sorted(found, key=lambda process: process.create_time())

    def tree(self):
        """Every process that descends from this run, orphans included."""
        return [process for process in psutil.process_iter() if _environment(process) == self._mark]

    def log_lines(self):
        """What was logged so far; whatever is no JSON is kept as a text."""
        lines = self._log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) if line.startswith("{") else line for line in lines]

    def logged(self, message):
        return [line for line in self.log_lines() if isinstance(line, dict) and line["message"] == message]

    def stop(self, signal_number=signal.SIGTERM):
        """End it, and look whether anything stays behind."""
        self.process.send_signal(signal_number)
        self.process.wait(PATIENCE)
        self.assert_gone(0)
        assert not list(self.directory.glob("asr-metrics-*")), "metrics files were left behind"

    def assert_gone(self, seconds):
        wait_until(lambda: not self.tree(), f"{self.tree()} gone", max(seconds, 1))

    def kill_all(self):
        """Whatever a failed test has left."""
        for process in self.tree():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()


def _inherited():
    return {name: value for name, value in os.environ.items() if not name.startswith("ASR_")}


def _environment(process):
    with suppress(psutil.Error):
        if process.status() != psutil.STATUS_ZOMBIE:
            return process.environ().get("GUNICORN_TEST_MARK")
    return None


def _is_tracker(process):
    with suppress(psutil.Error):
        return "resource_tracker" in " ".join(process.cmdline())
    return True


def _is_lane(process):
    with suppress(psutil.Error):
        return process.status() != psutil.STATUS_ZOMBIE and "spawn_main" in " ".join(process.cmdline())
    return False


@contextmanager
def paused(*processes):
    """Stop processes with SIGSTOP meanwhile: a lane that takes work and does not go on."""
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()


@contextmanager
def in_background(count=32):
    """A pool of threads for requests that wait."""
    with ThreadPoolExecutor(count) as pool:
        yield pool.submit
