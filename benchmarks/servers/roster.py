"""The servers compared, each as a user would start it, with the settings that are tried."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.quantised import GRAPH
from benchmarks.subject import Subject

OURS, ORIGINAL = "this server", "the original design"
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


def everybody(subject: Subject, python: Path | None, processors: int) -> list[list[Contestant]]:
    """Settings to try, for each server; `python` is an interpreter of an environment with the peers' servers.

    int8 is tried with those settings that do well in fp32.
    """
    model = subject.package.directory.resolve()
    original = [sys.executable, "-m", "benchmarks.servers.original", str(model), _PORT]
    found = [[_ours(model, "auto")], [_ours(model, "fp32")], [Contestant(ORIGINAL, "", original)]]
    if python is None:
        return found
    divided, batches = (processors, 1, 1), (processors, 1, 4)
    found += [
        _sherpa("", model / "model.onnx", python, (divided, batches, (3, 2, 5))),
        _thread_pool("", model, python, (1, processors)),
        _litserve("", model, python, (divided, batches)),
    ]
    if subject.peers:
        products = subject.peers.products.resolve()
        found += [
            _sherpa(", int8", products / GRAPH, python, (divided, batches)),
            _thread_pool(", int8", products, python, (1,)),
            _litserve(", int8", products, python, (divided, batches)),
        ]
    return found


def _ours(package: Path, precision: str) -> Contestant:
    """As `make run` starts it: it divides the processors itself."""
    settings = {"ASR_MODEL": str(package), "ASR_BIND": f"127.0.0.1:{_PORT}", "ASR_PRECISION": precision}
    # A profile and keys lying about would be settings; nothing else is set. The peers' search is greedy.
    environment = {**settings, "ASR_DECODING": "greedy", "ASR_PROFILE": os.devnull, "ASR_KEYS_FILE": "/nowhere/keys"}
    command = [sys.executable, "-m", "gunicorn", "server.asgi:app"]
    name = OURS if precision == "auto" else f"{OURS}, {precision}"
    return Contestant(name, "", command, environment, ready="/readyz")


def _sherpa(form: str, graph: Path, python: Path, settings: Sequence[tuple[int, int, int]]) -> list[Contestant]:
    """`sherpa-onnx-offline-websocket-server`: work threads × threads of one, and clips in one call."""
    server = str(python.parent / "sherpa-onnx-offline-websocket-server")
    files = [f"--nemo-ctc-model={graph}", f"--tokens={graph.parent / 'vocab.txt'}"]
    files += ["--model-type=nemo_ctc", f"--log-file={os.devnull}", f"--port={_PORT}"]
    return [
        Contestant(
            f"sherpa-onnx's C++ server{form}",
            f"{workers} work threads × {threads}, batches of {batch}",
            [server, *files, f"--num-work-threads={workers}", f"--num-threads={threads}", f"--max-batch-size={batch}"],
            websocket=True,
        )
        for workers, threads, batch in dict.fromkeys(settings)
    ]


def _thread_pool(form: str, model: Path, python: Path, settings: Sequence[int]) -> list[Contestant]:
    """FastAPI with a `def` handler."""
    command = [str(python), str(Path(__file__).parent / "thread_pool.py"), str(model), _PORT]
    return [
        Contestant(
            f"onnx-asr, FastAPI's thread pool{form}", f"{threads} threads of an operator", [*command, str(threads)]
        )
        for threads in dict.fromkeys(settings)
    ]


def _litserve(form: str, model: Path, python: Path, settings: Sequence[tuple[int, int, int]]) -> list[Contestant]:
    """LitServe: workers × threads of one, and clips in one call."""
    command = [str(python), str(Path(__file__).parent / "lit.py"), str(model), _PORT]
    return [
        Contestant(
            f"onnx-asr, LitServe{form}",
            f"{workers} workers × {threads}, batches of {batch}",
            [*command, str(workers), str(threads), str(batch)],
        )
        for workers, threads, batch in dict.fromkeys(settings)
    ]
