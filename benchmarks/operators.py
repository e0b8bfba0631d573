"""`python -m benchmarks.operators GRAPH…`: where a graph's time goes, by operator and shape.

Each node counts with its fastest run, so that a busy machine disturbs little.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

_KERNEL = "_kernel_time"


def main(arguments: Sequence[str]) -> int:
    """Print a table for each graph."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operators", description=__doc__)
    parser.add_argument("graph", type=Path, nargs="+")
    parser.add_argument("--seconds", type=float, default=10.0, help="of audio")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--rows", type=int, default=25)
    parser.add_argument("--shapes", action="store_true", help="a row for each shape of inputs too")
    options = parser.parse_args(arguments)
    for graph in options.graph:
        times = profile(graph, round(options.seconds * 100), options.runs, shapes=options.shapes)
        whole = sum(times.values())
        print(f"{graph}: {whole:.1f} ms in operators, one thread")
        for name, milliseconds in sorted(times.items(), key=lambda item: -item[1])[: options.rows]:
            print(f"{milliseconds:9.2f} ms {100 * milliseconds / whole:5.1f} %  {name}")
    return 0


def profile(graph: Path, frames: int, runs: int, *, shapes: bool = False) -> dict[str, float]:
    """Milliseconds of one run by operator."""
    with tempfile.TemporaryDirectory() as directory:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(directory) / "profile")
        options.log_severity_level = 3
        session = ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        signal, length = session.get_inputs()
        features = np.random.default_rng(0).normal(size=(1, signal.shape[1], frames)).astype(np.float32)
        for _ in range(runs + 1):  # the first one allocates
            session.run(None, {signal.name: features, length.name: np.array([frames], dtype=np.int64)})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    fastest: dict[str, tuple[int, str]] = {}
    for event in events:
        if event["name"].endswith(_KERNEL):
            label = _label(event["args"], shapes=shapes)
            fastest[event["name"]] = min(fastest.get(event["name"], (event["dur"], label)), (event["dur"], label))
    times: dict[str, float] = {}
    for microseconds, label in fastest.values():
        times[label] = times.get(label, 0) + microseconds / 1000
    return times


def _label(node: Mapping[str, Any], *, shapes: bool) -> str:
    if not shapes:
        return str(node["op_name"])
    inputs = (next(iter(entry.values())) for entry in node["input_type_shape"])
    return f"{node['op_name']} {' '.join(map(str, inputs))}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
