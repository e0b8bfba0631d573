"""Programs in processes of their own, that take turns (A B C, B C A, …)."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Self

from tqdm import tqdm

_ROOT = Path(__file__).parent.parent
_WARM_UPS = 2


class Failed(Exception):
    """A program ended instead of answering."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """A program and what to start it with."""

    name: str
    model: Path
    """Package, or NeMo's checkpoint."""
    python: Path = Path(sys.executable)
    """An interpreter that has the program."""
    clock: str = "wall"
    """One of `benchmarks.child.CLOCKS`."""


@dataclass(slots=True)
class Results:
    """Of one program on one clip."""

    seconds: list[float] = field(default_factory=list)
    """One for each round, in order."""
    texts: set[str] = field(default_factory=set)

    @property
    def median(self) -> float:
        """Seconds."""
        return median(self.seconds)

    def ratio(self, other: "Results") -> tuple[float, float, float]:
        """How many times faster than `other`: median of the rounds' ratios, first and ninth decile."""
        ratios = [theirs / ours for ours, theirs in zip(self.seconds, other.seconds, strict=True)]
        deciles = quantiles(ratios, n=10, method="inclusive")
        return median(ratios), deciles[0], deciles[-1]


class Program:
    """A running child."""

    def __init__(self, entrant: Entrant, threads: int, errors: Path) -> None:
        self._name = entrant.name
        self._errors = errors
        # NumPy's BLAS and PyTorch read these when they are imported. malloc's is that of gunicorn.conf.py, for all.
        settings = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), str(threads))
        environment = {**os.environ, **settings, "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
        command = [str(entrant.python), "-m", "benchmarks.child", entrant.name, str(entrant.model.resolve())]
        command += [str(threads), entrant.clock]
        with errors.open("w") as stream:
            self._process = subprocess.Popen(  # noqa: S603 # our own module
                command,
                cwd=_ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
            )
        self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # closes its stdin, at which it ends

    def ask(self, clip: Path) -> dict[str, Any]:
        """Seconds and text."""
        if self._process.stdin is None:
            raise Failed(self._name)
        self._process.stdin.write(f"{clip}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            self._process.communicate()
            raise Failed(f"{self._name}: {self._errors.read_text(encoding='utf-8')[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def take_turns(programs: Mapping[str, Program], clips: Sequence[Path], rounds: int) -> dict[Path, dict[str, Results]]:
    """Clip → program → results. A round hears one clip in all programs, each round beginning with another one."""
    results = {clip: {name: Results() for name in programs} for clip in clips}
    for clip in clips:
        for program in programs.values():
            for _ in range(_WARM_UPS):
                program.ask(clip)
    names = list(programs)
    for number in tqdm(range(rounds), unit="round", disable=None):
        for clip in clips:
            for index in range(len(names)):
                name = names[(index + number) % len(names)]
                answer = programs[name].ask(clip)
                results[clip][name].seconds.append(answer["seconds"])
                results[clip][name].texts.add(answer["text"])
    return results
