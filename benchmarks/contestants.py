"""The servers compared, each as a user would start it, with the settings that are tried."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inference.package import Package

OURS, ORIGINAL, SHERPA = "this server", "the original design", "sherpa-onnx's C++ server"
THREAD_POOL, LITSERVE = "onnx-asr, FastAPI's thread pool", "onnx-asr, LitServe"

_ROOT = Path(__file__).parent.parent
_SCRIPTS = Path(__file__).parent / "servers"
_PORT = "{port}"


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server with its settings."""

    name: str
    settings: str
    """In words, for the page."""
    command: Sequence[str]
    """`{port}` stands for the port."""
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: str = "/healthz"
    """What answers 200 once it can work."""
    websocket: bool = False
    """Speaks sherpa-onnx's protocol; has no `/healthz`."""


def this_server(package: Package) -> Contestant:
    """Ours, as `make run` starts it: it divides the processors itself."""
    settings = {"ASR_MODEL": str(package.directory.resolve()), "ASR_BIND": f"127.0.0.1:{_PORT}"}
    # A profile lying about would be a setting; nothing else is set.
    environment = {**settings, "ASR_PROFILE": os.devnull, "ASR_LOG_FORMAT": "json"}
    command = [sys.executable, "-m", "gunicorn", "server.asgi:app"]
    return Contestant(OURS, "its defaults", command, environment, ready="/readyz")


def original(package: Package) -> Contestant:
    """The design that this server replaced."""
    module = [sys.executable, "-m", "benchmarks.servers.original"]
    return Contestant(ORIGINAL, "its defaults", [*module, str(package.directory), _PORT])


def sherpa_server(package: Package, python: Path, processors: int) -> list[Contestant]:
    """`sherpa-onnx-offline-websocket-server`: work threads × threads of one, and clips in one call."""
    program = str(python.parent / "sherpa-onnx-offline-websocket-server")
    files = [f"--nemo-ctc-model={package.model_path()}", f"--tokens={package.vocabulary_path()}"]
    files += ["--model-type=nemo_ctc", f"--log-file={os.devnull}", f"--port={_PORT}"]
    return [
        Contestant(
            SHERPA,
            f"{workers} work threads × {threads}, batches of {batch}",
            [program, *files, f"--num-work-threads={workers}", f"--num-threads={threads}", f"--max-batch-size={batch}"],
            websocket=True,
        )
        for workers, threads, batch in _distinct(
            (processors, 1, 1), (processors, 1, 4), (1, processors, 5), (3, 2, 5)
        )
    ]


def thread_pool(package: Package, python: Path, processors: int) -> list[Contestant]:
    """FastAPI with a `def` handler."""
    command = [str(python), str(_SCRIPTS / "thread_pool.py"), str(package.directory.resolve()), _PORT]
    return [
        Contestant(THREAD_POOL, f"{threads or processors} threads inside an operator", [*command, str(threads)])
        for (threads,) in _distinct((1,), (0,))
    ]


def litserve(package: Package, python: Path, processors: int) -> list[Contestant]:
    """LitServe: workers × threads of one, and clips in one call."""
    command = [str(python), str(_SCRIPTS / "lit.py"), str(package.directory.resolve()), _PORT]
    return [
        Contestant(
            LITSERVE,
            f"{workers} workers × {threads} threads, batches of {batch}",
            [*command, str(workers), str(threads), str(batch)],
        )
        for workers, threads, batch in _distinct((processors, 1, 1), (processors, 1, 4), (1, processors, 1))
    ]


def all_servers(package: Package, python: Path | None, processors: int) -> dict[str, list[Contestant]]:
    """Name → settings to try; `python` is an interpreter of an environment with requirements-servers.txt."""
    found = {OURS: [this_server(package)], ORIGINAL: [original(package)]}
    if python is not None:
        found[SHERPA] = sherpa_server(package, python, processors)
        found[THREAD_POOL] = thread_pool(package, python, processors)
        found[LITSERVE] = litserve(package, python, processors)
    return found


def _distinct(*settings: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Each once: on one processor some are the same."""
    return list(dict.fromkeys(settings))
