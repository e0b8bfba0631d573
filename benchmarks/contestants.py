"""The servers compared, each as a user would start it, with the settings that are tried."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import compared
from benchmarks.entrants import ONNX_ASR_INT8, SHERPA_INT8, Subject
from benchmarks.quantised import GRAPH

OURS, ORIGINAL, SHERPA = "this server", "the original design", "sherpa-onnx's C++ server"
OURS_FP32 = f"{OURS}, fp32"
THREAD_POOL, LITSERVE = "onnx-asr, FastAPI's thread pool", "onnx-asr, LitServe"

_SCRIPTS = Path(__file__).parent / "servers"
_PORT = "{port}"
_Settings = Sequence[tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server with its settings."""

    name: str
    settings: str
    """In words, for the page."""
    command: Sequence[str]
    """`{port}` stands for the port."""
    program: str = compared.OURS_FP32
    """Whose texts it gives: a name of `benchmarks.compared` or `benchmarks.entrants`."""
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: str = "/healthz"
    """What answers 200 once it can work."""
    websocket: bool = False
    """Speaks sherpa-onnx's protocol; has no `/healthz`."""


def int8(name: str) -> str:
    """Name the same server with an int8 graph."""
    return f"{name}, int8"


def this_server(package: Path, precision: str = "auto") -> Contestant:
    """Ours, as `make run` starts it: it divides the processors itself."""
    settings = {"ASR_MODEL": str(package.resolve()), "ASR_BIND": f"127.0.0.1:{_PORT}", "ASR_PRECISION": precision}
    # A profile lying about would be a setting; nothing else is set.
    environment = {**settings, "ASR_DECODING": "greedy", "ASR_PROFILE": os.devnull, "ASR_LOG_FORMAT": "json"}
    command = [sys.executable, "-m", "gunicorn", "server.asgi:app"]
    name, program = (OURS_FP32, compared.OURS_FP32) if precision == "fp32" else (OURS, compared.OURS)
    return Contestant(name, "its defaults", command, program, environment, ready="/readyz")


def original(package: Path) -> Contestant:
    """The design that this server replaced."""
    module = [sys.executable, "-m", "benchmarks.servers.original"]
    return Contestant(ORIGINAL, "its defaults", [*module, str(package), _PORT])


def sherpa_server(name: str, graph: Path, python: Path, settings: _Settings, program: str) -> list[Contestant]:
    """`sherpa-onnx-offline-websocket-server`: work threads × threads of one, and clips in one call."""
    server = str(python.parent / "sherpa-onnx-offline-websocket-server")
    files = [f"--nemo-ctc-model={graph}", f"--tokens={graph.parent / 'vocab.txt'}"]
    files += ["--model-type=nemo_ctc", f"--log-file={os.devnull}", f"--port={_PORT}"]
    return [
        Contestant(
            name,
            f"{workers} work threads × {threads}, batches of {batch}",
            [server, *files, f"--num-work-threads={workers}", f"--num-threads={threads}", f"--max-batch-size={batch}"],
            program,
            websocket=True,
        )
        for workers, threads, batch in _distinct(settings)
    ]


def thread_pool(name: str, model: Path, python: Path, settings: _Settings, program: str) -> list[Contestant]:
    """FastAPI with a `def` handler."""
    command = [str(python), str(_SCRIPTS / "thread_pool.py"), str(model), _PORT]
    return [
        Contestant(name, f"threads inside an operator: {threads}", [*command, str(threads)], program)
        for (threads,) in _distinct(settings)
    ]


def litserve(name: str, model: Path, python: Path, settings: _Settings, program: str) -> list[Contestant]:
    """LitServe: workers × threads of one, and clips in one call."""
    command = [str(python), str(_SCRIPTS / "lit.py"), str(model), _PORT]
    return [
        Contestant(
            name,
            f"{workers} workers × {threads} threads, batches of {batch}",
            [*command, str(workers), str(threads), str(batch)],
            program,
        )
        for workers, threads, batch in _distinct(settings)
    ]


def everybody(subject: Subject, python: Path | None, processors: int) -> list[list[Contestant]]:
    """Settings to try, for each server; `python` is an interpreter of an environment with requirements/peers.txt.

    int8 is tried with those settings that do well in fp32.
    """
    model = subject.package.directory.resolve()
    found = [[this_server(model)], [this_server(model, "fp32")], [original(model)]]
    if python is None:
        return found
    side_by_side, batches = (processors, 1, 1), (processors, 1, 4)
    found += [
        sherpa_server(SHERPA, model / "model.onnx", python, (side_by_side, batches, (3, 2, 5)), compared.SHERPA),
        thread_pool(THREAD_POOL, model, python, ((1,), (processors,)), compared.ONNX_ASR),
        litserve(LITSERVE, model, python, (side_by_side, batches), compared.ONNX_ASR),
    ]
    if subject.peers:
        products = subject.peers.products
        few = (side_by_side, batches)
        found += [
            sherpa_server(int8(SHERPA), products / GRAPH, python, few, SHERPA_INT8),
            thread_pool(int8(THREAD_POOL), products, python, ((1,),), ONNX_ASR_INT8),
            litserve(int8(LITSERVE), products, python, few, ONNX_ASR_INT8),
        ]
    return found


def _distinct(settings: _Settings) -> list[tuple[int, ...]]:
    """Each once: on one processor some are the same."""
    return list(dict.fromkeys(settings))
