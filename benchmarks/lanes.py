"""`python -m benchmarks.lanes PACKAGE CLIP LANES STARTS`: how soon a lane answers, and what a further one weighs.

Processes are made as the server makes them: spawned, with the functions of `inference.worker`. Prints JSON.
"""

import itertools
import json
import math
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.sharedctypes import RawValue
from pathlib import Path

from inference import worker
from inference.loading import CACHE, load
from inference.package import load_package
from inference.recogniser import SessionOptions
from inference.task import Task
from inference.types import AudioLimits, Options

_ROOT = Path(__file__).parent.parent
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}  # as in gunicorn.conf.py


@dataclass(frozen=True, slots=True)
class Lanes:
    """What was found."""

    starts: Sequence[float]
    """Seconds from the spawning of a process to its first answer; the graph has been prepared before."""
    further: Sequence[float]
    """PSS in MiB that each lane after the first one adds, all of them having heard the clip."""


def measure(package: Path, clip: Path, lanes: int, starts: int) -> Lanes:
    """Ask a process of its own, so that malloc's settings reach the lanes."""
    command = [sys.executable, "-m", "benchmarks.lanes", str(package), str(clip), str(lanes), str(starts)]
    done = subprocess.run(  # noqa: S603 # our own module
        command, cwd=_ROOT, env={**os.environ, **_ENVIRONMENT}, stdout=subprocess.PIPE, check=True
    )
    return Lanes(**json.loads(done.stdout))


def main(package: Path, clip: Path, lanes: int, starts: int) -> None:
    """Start lanes one at a time; then some that stay, and weigh them."""
    found = load_package(package)
    packages = {found.name: found}
    setup = worker.Setup(packages, 1, "auto", SessionOptions(), AudioLimits(), CACHE, parent=os.getpid())
    load(found)  # prepares the graph
    seconds = []
    for _ in range(starts):
        started = time.perf_counter()
        lane = _start(setup, clip.read_bytes())
        seconds.append(time.perf_counter() - started)
        lane.shutdown()
    sums, living = [], []
    for _ in range(lanes):
        living.append(_start(setup, clip.read_bytes()))
        sums.append(sum(_pss(process.pid or 0) for process in multiprocessing.active_children()))
    for lane in living:
        lane.shutdown()
    further = [after - before for before, after in itertools.pairwise(sums)]
    print(json.dumps({"starts": seconds, "further": further}))


def _start(setup: worker.Setup, sound: bytes) -> ProcessPoolExecutor:
    """Start a lane that has answered once when this returns."""
    control = RawValue(worker.Control)
    context = multiprocessing.get_context("spawn")
    lane = ProcessPoolExecutor(1, mp_context=context, initializer=worker.initialise, initargs=(setup, control))
    (model,) = setup.packages
    lane.submit(worker.load_model, model)
    lane.submit(worker.run, 1, Task("transcribe", model, sound, Options(), deadline=math.inf)).result()
    return lane


def _pss(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
