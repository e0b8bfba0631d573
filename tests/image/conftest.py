"""The image, built as the README says, and containers of it; skipped where there is no engine or no base."""

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parent.parent.parent
LINE = re.compile(r"`docker (build [^&`]+)&& docker (run [^`]+)`")
PATIENCE = 600.0
"""Seconds: a container's first look at its files can take minutes."""
_BUILD_SECONDS = 1500
_UNREACHABLE = re.compile("Connection|Could not fetch|resolution|CERTIFICATE|timed out|locate package")


class Engine:
    """Docker, or what answers as it does."""

    def __init__(self, program):
        self.program = program

    def __call__(self, *arguments, check=True, seconds=300, data=None):
        """Run a command; what it wrote, decoded."""
        command = [self.program, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, cwd=ROOT, timeout=seconds, input=data, check=False)
        assert not check or done.returncode == 0, done.stderr.decode()
        return (done.stdout + (b"" if check else done.stderr)).decode().strip()

    def says(self, what, template):
        """A field of an image or a container."""
        return self("inspect", "--format", template, what)


def _answers(program):
    if not shutil.which(program):
        return False
    with contextlib.suppress(subprocess.TimeoutExpired):
        return subprocess.run([program, "info"], capture_output=True, timeout=30, check=False).returncode == 0
    return False


@pytest.fixture(scope="session")
def engine():
    """The engine that `ENGINE` names, else the first that answers."""
    named = os.environ.get("ENGINE")
    found = [program for program in ([named] if named else ["docker", "podman"]) if _answers(program)]
    if not found:
        pytest.skip("no engine answers: neither docker nor podman")
    return Engine(found[0])


@pytest.fixture(scope="session")
def base(engine):
    """The name of the image that ours stands on."""
    name = os.environ.get("BASE") or re.search(r"^ARG BASE=(\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[1]
    if engine("image", "ls", "--quiet", name) == "":
        pulled = subprocess.run(["timeout", "300", engine.program, "pull", name], capture_output=True, check=False)
        if pulled.returncode:
            pytest.skip(f"{name} is not here and cannot be pulled: {pulled.stderr.decode().strip()[-200:]}")
    return name


@pytest.fixture(scope="session")
def readme():
    """The README's two lines, as arguments."""
    build, run = LINE.search((ROOT / "README.md").read_text(encoding="utf-8")).groups()
    return shlex.split(build), shlex.split(run)


@pytest.fixture(scope="session")
def image(engine, base, readme):
    """Its name, once it is built."""
    (_, *arguments), _ = readme
    # podman's own format has no health checks
    own = ["--format", "docker"] if engine.program.endswith("podman") else []
    command = [engine.program, "build", *own, "--build-arg", f"BASE={base}", *arguments]
    built = subprocess.run(command, capture_output=True, cwd=ROOT, timeout=_BUILD_SECONDS, check=False)
    said = (built.stdout + built.stderr).decode()[-2000:]
    if built.returncode and _UNREACHABLE.search(said):
        pytest.skip(f"a build cannot reach the package indexes from here: {said[-300:]}")
    assert built.returncode == 0, said
    return arguments[arguments.index("-t") + 1]


@pytest.fixture(scope="session")
def started(engine):
    """Containers by a context manager: arguments of `run`, which give way to nothing else."""

    @contextlib.contextmanager
    def start(*arguments):
        before = time.monotonic()
        name = engine("run", "--detach", *arguments)
        try:
            _wait_ready(engine, name)
            print(f"\nready {time.monotonic() - before:.1f} s after `run {' '.join(arguments)}`")
            yield name
        finally:
            engine("rm", "--force", "--volumes", name)

    return start


def _wait_ready(engine, name):
    """By the image's own health check, which an engine without timers runs by hand."""
    check = engine.says(name, "{{json .Config.Healthcheck.Test}}")
    command = json.loads(check)[1:]
    give_up = time.monotonic() + PATIENCE
    while subprocess.run([engine.program, "exec", name, *command], capture_output=True, check=False).returncode:
        assert engine.says(name, "{{.State.Running}}") == "true", engine("logs", name, check=False)
        assert time.monotonic() < give_up, engine("logs", name, check=False)
        time.sleep(0.05)


@pytest.fixture(scope="module")
def published(engine, started, readme, image):
    """A container by the README's `run`, on a port of the engine's choice: its name and a client."""
    _, (_, *arguments) = readme
    assert arguments[-1] == image
    arguments[arguments.index("8000:8000")] = "127.0.0.1::8000"
    with started(*arguments) as name, client_of(engine, name) as client:
        yield name, client


def client_of(engine, name):
    """One that asks a container whose port is published."""
    address = engine("port", name, "8000").splitlines()[0]
    return httpx.Client(base_url=f"http://{address}", timeout=300)
