"""The exported graph, written anew for one clip at full length: the same function in fewer and cheaper steps.

An exported graph takes batches of unequal lengths, so it masks, and it computes shapes, and weights that are constant,
on every call. A lane hears one clip at a time, all of whose frames are valid. The graph is therefore built again from
the weights, as `conformer.py` and `attention.py` say, and taken only if it gives the same numbers. Of a graph that
is not a plain Conformer-CTC nothing is rewritten: it serves as it is, only slower.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from inference.types import Int8Plan

VERSION = 7
"""Of the rewriting: graphs prepared by another one are made anew."""

_ROOT = Path(__file__).parents[3]


def rewrite_apart(source: Path, target: Path, plan: Int8Plan | None = None, calibration: Path | None = None) -> str:
    """Write the graph to `target` in a process of its own; return why there is none, and nothing where there is.

    In int8 it is as `plan` says, with what the package's `calibration` holds.

    The process takes all the memory with it that the `onnx` package and a few copies of the weights need, and it ends
    with this one, whatever ends that.
    """
    command = [sys.executable, "-m", "inference.prepared.rewriting", str(os.getpid())]
    command += [str(source.resolve()), str(target.resolve())]
    if plan is not None:
        command += [json.dumps(asdict(plan)), *([str(calibration.resolve())] if calibration else [])]
    try:
        finished = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)  # noqa: S603 # ours
    except OSError as error:  # no such interpreter, or no memory for another process
        return str(error)
    if finished.returncode == 0 and target.exists():
        return ""
    last_line = (finished.stderr.splitlines() or [""])[-1]
    return last_line or f"the process ended with code {finished.returncode}"
