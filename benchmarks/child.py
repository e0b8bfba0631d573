"""`python -m benchmarks.child NAME MODEL THREADS CLOCK`: one program, that answers a line with a line.

It runs with any interpreter that has the program; lines are JSON. A clip's path comes in; seconds and text go out.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from benchmarks.recognisers import FP32, INT8, NEMO

RATE = "best matrix product"

Clock = Callable[[], float]
CLOCKS: Mapping[str, Clock] = {"wall": time.perf_counter, "processor": time.process_time}
"""What passes by, or what this process was given by a processor that it had to share."""


def main(name: str, model: Path, threads: int, clock: Clock) -> None:
    """Load, say that it is done, then answer until there are no more questions."""
    answers = _own_stdout()
    answer = _answerer(name, model, threads, clock)
    _say(answers, {"loaded": name})
    for clip in _questions():
        _say(answers, answer(Path(clip)))


def _answerer(name: str, model: Path, threads: int, clock: Clock) -> Callable[[Path], dict[str, Any]]:
    if name == RATE:
        from benchmarks.limit import Rate

        rate = Rate(threads, clock)
        return lambda _: {"seconds": 1 / rate(), "text": ""}  # for one multiply-add
    recogniser = {**FP32, **INT8, **NEMO}[name](model, threads)
    read: dict[Path, Any] = {}

    def answer(clip: Path) -> dict[str, Any]:
        if clip not in read:
            read[clip] = recogniser.ready(clip)
        started = clock()
        text = recogniser.hear(read[clip])
        return {"seconds": clock() - started, "text": text}

    return answer


def _own_stdout() -> TextIO:
    """Keep stdout for answers; whatever a program prints goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _questions() -> Iterator[str]:
    for line in sys.stdin:
        yield line.rstrip("\n")


def _say(answers: TextIO, value: dict[str, Any]) -> None:
    answers.write(json.dumps(value) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), CLOCKS[sys.argv[4]])
