"""Programs in processes of their own; each answers a line with a line (`benchmarks.child`)."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tqdm import tqdm

_ROOT = Path(__file__).parent.parent
_PATIENCE = 180.0  # seconds; what does not answer by then is ended, and counts as broken


class Failed(Exception):
    """A program ended, or was ended, instead of answering."""


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
    needed: bool = False
    """Whether all the others would be measured in vain without it."""


class Program:
    """A child, or several that work side by side."""

    def __init__(self, entrant: Entrant, division: Division, clock: str, errors: Path) -> None:
        """`clock` is one of `benchmarks.child.CLOCKS`. Raises Failed where the program does not start."""
        self._name = entrant.name
        self._errors = errors
        # NumPy's BLAS and PyTorch read these when they are imported. malloc's is that of gunicorn.conf.py, for all.
        settings = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), str(division.threads))
        environment = {**os.environ, **settings, "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
        command = [str(entrant.python), "-m", "benchmarks.child", entrant.kind, str(entrant.model.resolve())]
        command += [str(division.threads), clock]
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
        self.computes: str = self._answers()[0]["computes"]
        """`fp32`, say."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def ask(self, clip: Path, seconds: float = 0.0) -> dict[str, Any]:
        """Let all processes hear the clip again and again for so long, after a warm-up; at once and once for 0 s.

        Returns the seconds of one clip, its text, and the share outside ONNX Runtime. Several processes share the
        seconds: two that take 0.1 s each make 0.05.
        """
        question = json.dumps({"clip": str(clip), "seconds": seconds}) + "\n"
        for process in self._processes:
            try:
                if process.stdin:
                    process.stdin.write(question)
                    process.stdin.flush()
            except OSError:
                self._fail()
        answers = self._answers()
        return {**answers[0], "seconds": 1 / sum(1 / answer["seconds"] for answer in answers)}

    def _answers(self) -> list[dict[str, Any]]:
        patience = threading.Timer(_PATIENCE, self._kill)
        patience.start()
        lines = [process.stdout.readline() if process.stdout else "" for process in self._processes]
        patience.cancel()
        if not all(lines):
            self._fail()
        return [json.loads(line) for line in lines]

    def _fail(self) -> None:
        self._kill()  # one of several may live on
        self._end()
        raise Failed(f"{self._name}: {self._errors.read_text(encoding='utf-8', errors='replace')[-2000:].strip()}")

    def _kill(self) -> None:
        for process in self._processes:
            process.kill()

    def _end(self) -> None:
        for process in self._processes:
            process.communicate()  # closes its stdin, at which it ends


@dataclass(slots=True)
class Company:
    """Programs that are running."""

    programs: dict[tuple[str, Division], Program] = field(default_factory=dict)
    needed: frozenset[str] = frozenset()
    """Names of those without which there is nothing to compare."""
    broken: dict[str, str] = field(default_factory=dict)
    """Name → why it had to leave: a peer that breaks down shall not cost the others their figures."""

    def lose(self, name: str, error: Failed) -> None:
        """Go on without a program in all its divisions; raise the error where it is needed."""
        if name in self.needed:
            raise error
        self.broken[name] = str(error)
        for key in [key for key in self.programs if key[0] == name]:
            del self.programs[key]


@contextmanager
def company(entrants: Sequence[Entrant], divisions: Sequence[Division], clock: str, scratch: Path) -> Iterator[Company]:
    """Start each in every division of the processors."""
    found = Company(needed=frozenset(entrant.name for entrant in entrants if entrant.needed))
    with ExitStack() as stack:
        for entrant in tqdm(entrants, desc="loading", unit="program", disable=None):
            try:
                for division in divisions:
                    log = Path(tempfile.mkstemp(prefix="program-", suffix=".log", dir=scratch)[1])
                    program = stack.enter_context(Program(entrant, division, clock, log))
                    found.programs[entrant.name, division] = program
            except Failed as error:
                found.lose(entrant.name, error)
        yield found
