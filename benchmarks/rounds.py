"""Programs in processes of their own, that take turns (A B C, B C A, …)."""

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Self, TypeVar

from tqdm import tqdm

from benchmarks.spread import Spread, ratios

_ROOT = Path(__file__).parent.parent
_WARM_UPS = 2
_SECONDS_A_TURN = 6.0  # of audio, at least: short clips are heard several times in a row
_PAUSE = 0.05  # seconds: ONNX Runtime's idle threads spin for about 30 ms, and would do so at the next one's cost

Key = TypeVar("Key")


class Failed(Exception):
    """A program ended instead of answering."""


@dataclass(frozen=True, slots=True)
class Division:
    """How a program uses the processors."""

    processes: int
    """Hear one clip each, side by side."""
    threads: int
    """Inside one of them."""

    def __str__(self) -> str:
        return f"{self.processes} × {self.threads}"


@dataclass(frozen=True, slots=True)
class Entrant:
    """A program and what to start it with."""

    name: str
    kind: str
    """A key of `benchmarks.recognisers.KINDS`."""
    model: Path
    """Package, directory of `benchmarks.quantised`, or NeMo's checkpoint."""
    python: Path = Path(sys.executable)
    """An interpreter that has the program."""
    clock: str = "wall"
    """One of `benchmarks.child.CLOCKS`."""


@dataclass(slots=True)
class Results:
    """Of one program on one clip."""

    seconds: list[float] = field(default_factory=list)
    """Of one clip, one for each round, in order; several processes share them: two that take 0.1 s each make 0.05."""
    outside: list[float] = field(default_factory=list)
    """Shares spent outside ONNX Runtime, where the program knows them."""

    @property
    def median(self) -> float:
        """Seconds."""
        return median(self.seconds)

    def ratio(self, other: "Results") -> Spread:
        """How many times faster than `other`, round by round."""
        return ratios(other.seconds, self.seconds)


class Program:
    """A child, or several that work side by side."""

    def __init__(self, entrant: Entrant, division: Division, errors: Path) -> None:
        self._name = entrant.name
        self._errors = errors
        # NumPy's BLAS and PyTorch read these when they are imported. malloc's is that of gunicorn.conf.py, for all.
        settings = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), str(division.threads))
        environment = {**os.environ, **settings, "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
        command = [str(entrant.python), "-m", "benchmarks.child", entrant.kind, str(entrant.model.resolve())]
        command += [str(division.threads), entrant.clock]
        with errors.open("w") as stream:
            self._processes = [
                subprocess.Popen(  # noqa: S603 # our own module
                    command,
                    cwd=_ROOT,
                    env=environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stream,
                    text=True,
                )
                for _ in range(division.processes)
            ]
        self._answers()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def ask(self, clip: Path, times: int = 1) -> dict[str, Any]:
        """Seconds of one clip, text, and the share outside ONNX Runtime; all processes hear the same clip."""
        question = json.dumps({"clip": str(clip), "times": times}) + "\n"
        for process in self._processes:
            if process.stdin is None:
                raise Failed(self._name)
            process.stdin.write(question)
            process.stdin.flush()
        answers = self._answers()
        slowest = max(answer["seconds"] for answer in answers)
        return {**answers[0], "seconds": slowest / len(answers)}

    def _answers(self) -> list[dict[str, Any]]:
        lines = [process.stdout.readline() if process.stdout else "" for process in self._processes]
        if not all(lines):
            self._end()
            raise Failed(f"{self._name}: {self._errors.read_text(encoding='utf-8')[-2000:]}")
        return [json.loads(line) for line in lines]

    def _end(self) -> None:
        for process in self._processes:
            process.communicate()  # closes its stdin, at which it ends


def take_turns(
    programs: Mapping[Key, Program], clips: Mapping[float, Path], rounds: int
) -> dict[float, dict[Key, Results]]:
    """Seconds of audio → program → results. A round hears each clip in all programs, each beginning with another."""
    results = {seconds: {name: Results() for name in programs} for seconds in clips}
    for clip in clips.values():
        for program in programs.values():
            for _ in range(_WARM_UPS):
                program.ask(clip)
    names = list(programs)
    for number in tqdm(range(rounds), unit="round", disable=None):
        for seconds, clip in clips.items():
            for index in range(len(names)):
                name = names[(index + number) % len(names)]
                time.sleep(_PAUSE)
                answer = programs[name].ask(clip, math.ceil(_SECONDS_A_TURN / seconds))
                found = results[seconds][name]
                found.seconds.append(answer["seconds"])
                if answer.get("outside") is not None:
                    found.outside.append(answer["outside"])
    return results
