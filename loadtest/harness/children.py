"""Programs in processes of their own, with any interpreter; each answers a line of JSON with a line of JSON.

`python -m loadtest.harness.children MODULE:FUNCTION JSON` is the child: it calls the function with what the JSON says,
and gets a `Recogniser`. Clips and for how long to hear them come in; the seconds of each time and the text go out.
Nothing but the standard library is imported here: other environments run it.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Self

from loadtest.harness import REPOSITORY

_PATIENCE = 180.0  # seconds; what does not answer by then is ended, and counts as broken
ENVIRONMENT: Mapping[str, str] = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1", "ORT_DISABLE_TELEMETRY": "1"}
"""As gunicorn.conf.py sets it for the lanes: nobody who is compared with them shall lack it."""


class Failed(Exception):
    """A program ended, or was ended, instead of answering; the message ends with what it said last."""


@dataclass(frozen=True, slots=True)
class Recogniser:
    """A program with a model loaded."""

    ready: Callable[[Path], Any]
    """WAV file → what the program takes; nobody is timed for it."""
    hear: Callable[[Any], str]
    """That → text; empty where the program makes none. This is what is timed."""
    outside: Callable[[], float | None] = lambda: None
    """Share of the last `hear` that was spent outside ONNX Runtime, where the program knows it."""
    computes: str = "fp32"
    """In words."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What one child did in one turn."""

    durations: list[float]
    """Seconds of each time, in order."""
    text: str
    """Of the last clip."""
    outside: float | None

    @property
    def rate(self) -> float:
        """Clips a second."""
        return len(self.durations) / sum(self.durations)


class Children:
    """Some processes of one program, for the length of a `with` block."""

    def __init__(self, function: str, given: Mapping[str, Any], log: Path, processes: int = 1, **how: Any) -> None:
        """`function` is `MODULE:FUNCTION`, `given` its arguments by name, `threads` among them.

        `how` may name another interpreter (`python`). Raises Failed where the program does not start.
        """
        self._log = log
        threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), str(given["threads"]))  # read on import
        command = [str(how.get("python", sys.executable)), "-m", "loadtest.harness.children", function]
        with log.open("w") as stream:
            self._processes = [
                subprocess.Popen(  # noqa: S603 - our own module
                    [*command, json.dumps(given, default=str)],
                    cwd=REPOSITORY,
                    env={**os.environ, **ENVIRONMENT, **threads},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stream,
                    text=True,
                )
                for _ in range(processes)
            ]
        self.computes: str = self._answers(self._processes)[0]["computes"]
        """`fp32`, say."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.communicate()  # closes its stdin, at which it ends

    @property
    def pids(self) -> list[int]:
        """Ids of the processes."""
        return [process.pid for process in self._processes]

    def hear(
        self, clips: Sequence[Path], seconds: float = 0.0, processes: int | None = None, warm_up: float = 0.0
    ) -> list[Heard]:
        """Let the first `processes` (all, by default) hear the clips in turn, side by side, for so long; at least once.

        What is heard in the `warm_up` seconds before does not count.
        """
        asked = self._processes[:processes]
        question = json.dumps({"clips": [str(clip) for clip in clips], "seconds": seconds, "warm_up": warm_up})
        for process in asked:
            try:
                if process.stdin:
                    process.stdin.write(f"{question}\n")
                    process.stdin.flush()
            except OSError:
                self._fail()
        return [Heard(**answer) for answer in self._answers(asked)]

    def _answers(self, asked: "Sequence[subprocess.Popen[str]]") -> list[dict[str, Any]]:
        patience = threading.Timer(_PATIENCE, self._kill)
        patience.start()
        lines = [process.stdout.readline() if process.stdout else "" for process in asked]
        patience.cancel()
        if not all(lines):
            self._fail()
        return [json.loads(line) for line in lines]

    def _fail(self) -> None:
        self._kill()  # one of several may live on
        self.__exit__()
        raise Failed(self._log.read_text(encoding="utf-8", errors="replace")[-2000:].strip())

    def _kill(self) -> None:
        for process in self._processes:
            process.kill()


def _main(function: str, given: Mapping[str, Any]) -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a program prints goes to stderr
    module, _, name = function.partition(":")
    recogniser: Recogniser = getattr(import_module(module), name)(**given)

    def say(value: Mapping[str, Any]) -> None:
        answers.write(f"{json.dumps(value)}\n")
        answers.flush()

    say({"computes": recogniser.computes})
    for line in sys.stdin:
        question = json.loads(line)
        sounds = [recogniser.ready(Path(clip)) for clip in question["clips"]]
        if question["warm_up"]:
            _hear(recogniser, sounds, question["warm_up"])
        durations, text = _hear(recogniser, sounds, question["seconds"])
        say({"durations": durations, "text": text, "outside": recogniser.outside()})


def _hear(recogniser: Recogniser, sounds: Sequence[Any], seconds: float) -> tuple[list[float], str]:
    durations: list[float] = []
    end = time.perf_counter() + seconds
    while True:
        started = time.perf_counter()
        text = recogniser.hear(sounds[len(durations) % len(sounds)])
        durations.append(time.perf_counter() - started)
        if time.perf_counter() >= end:
            return durations, text


if __name__ == "__main__":
    _main(sys.argv[1], json.loads(sys.argv[2]))
