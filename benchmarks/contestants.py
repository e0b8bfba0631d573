"""The servers compared, each as a user would start it, with the settings that are tried."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.quantised import GRAPH, Int8
from inference.package import Package

OURS, ORIGINAL, SHERPA = "this server", "the original design", "sherpa-onnx's C++ server"
OURS_INT8, SHERPA_INT8 = f"{OURS}, int8", f"{SHERPA}, int8"
THREAD_POOL, LITSERVE = "onnx-asr, FastAPI's thread pool", "onnx-asr, LitServe"

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


def this_server(package: Path, precision: str = "fp32") -> Contestant:
    """Ours, as `make run` starts it: it divides the processors itself."""
    settings = {"ASR_MODEL": str(package.resolve()), "ASR_BIND": f"127.0.0.1:{_PORT}", "ASR_PRECISION": precision}
    # A profile lying about would be a setting; nothing else is set.
    environment = {**settings, "ASR_PROFILE": os.devnull, "ASR_LOG_FORMAT": "json"}
    command = [sys.executable, "-m", "gunicorn", "server.asgi:app"]
    name = OURS if precision == "fp32" else OURS_INT8
    return Contestant(name, "its defaults", command, environment, ready="/readyz")


def original(package: Package) -> Contestant:
    """The design that this server replaced."""
    module = [sys.executable, "-m", "benchmarks.servers.original"]
    return Contestant(ORIGINAL, "its defaults", [*module, str(package.directory), _PORT])


def sherpa_server(directory: Path, python: Path, processors: int, graph: str = "model.onnx") -> list[Contestant]:
    """`sherpa-onnx-offline-websocket-server`: work threads × threads of one, and clips in one call."""
    program = str(python.parent / "sherpa-onnx-offline-websocket-server")
    files = [f"--nemo-ctc-model={directory / graph}", f"--tokens={directory / 'vocab.txt'}"]
    files += ["--model-type=nemo_ctc", f"--log-file={os.devnull}", f"--port={_PORT}"]
    return [
        Contestant(
            SHERPA if graph == "model.onnx" else SHERPA_INT8,
            f"{workers} work threads × {threads}, batches of {batch}",
            [program, *files, f"--num-work-threads={workers}", f"--num-threads={threads}", f"--max-batch-size={batch}"],
            websocket=True,
        )
        for workers, threads, batch in _distinct((processors, 1, 1), (processors, 1, 4), (1, processors, 5), (3, 2, 5))
    ]


def thread_pool(package: Package, python: Path, processors: int) -> list[Contestant]:
    """FastAPI with a `def` handler."""
    command = [str(python), str(_SCRIPTS / "thread_pool.py"), str(package.directory.resolve()), _PORT]
    return [
        Contestant(THREAD_POOL, f"threads inside an operator: {threads or processors}", [*command, str(threads)])
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


def fp32(package: Package, python: Path | None, processors: int) -> dict[str, list[Contestant]]:
    """Name → settings to try; `python` is an interpreter of an environment with requirements-servers.txt."""
    found = {OURS: [this_server(package.directory)], ORIGINAL: [original(package)]}
    if python is not None:
        found[SHERPA] = sherpa_server(package.directory.resolve(), python, processors)
        found[THREAD_POOL] = thread_pool(package, python, processors)
        found[LITSERVE] = litserve(package, python, processors)
    return found


def int8(graphs: Int8, python: Path | None, processors: int) -> dict[str, list[Contestant]]:
    """Build the same for the two that have a server of their own; sherpa-onnx's with the faster of its graphs."""
    found = {}
    if graphs.ours:
        found[OURS_INT8] = [this_server(graphs.ours, "int8")]
    if python is not None:
        found[SHERPA_INT8] = sherpa_server(graphs.products, python, processors, GRAPH)[:2]
    return found


def _distinct(*settings: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Each once: on one processor some are the same."""
    return list(dict.fromkeys(settings))
