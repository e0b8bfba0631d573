"""`python -m benchmarks.child KIND MODEL THREADS CLOCK`: one program, that answers a line with a line.

It runs with any interpreter that has the program; lines are JSON. A clip's path and how often to hear it come in; the
seconds of one time and the text go out.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from benchmarks.recognisers import KINDS

RATE = "best matrix product"

Clock = Callable[[], float]
CLOCKS: Mapping[str, Clock] = {"wall": time.perf_counter, "processor": time.process_time}
"""What passes by, or what this process was given by a processor that it had to share."""


def main(kind: str, model: Path, threads: int, clock: Clock) -> None:
    """Load, say that it is done, then answer until there are no more questions."""
    answers = _own_stdout()
    answer = _answerer(kind, model, threads, clock)
    _say(answers, {"loaded": kind})
    for line in sys.stdin:
        question = json.loads(line)
        _say(answers, answer(Path(question["clip"]), question["times"]))


def _answerer(kind: str, model: Path, threads: int, clock: Clock) -> Callable[[Path, int], dict[str, Any]]:
    if kind == RATE:
        from benchmarks.limit import Rate

        rate = Rate(threads, clock)
        return lambda _clip, _times: {"seconds": 1 / rate(), "text": ""}  # for one multiply-add
    recogniser = KINDS[kind](model, threads)
    read: dict[Path, Any] = {}

    def answer(clip: Path, times: int) -> dict[str, Any]:
        if clip not in read:
            read[clip] = recogniser.ready(clip)
        started = clock()
        for _ in range(times):
            text = recogniser.hear(read[clip])
        seconds = (clock() - started) / times
        return {"seconds": seconds, "text": text, "outside": recogniser.outside and recogniser.outside()}

    return answer


def _own_stdout() -> TextIO:
    """Keep stdout for answers; whatever a program prints goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _say(answers: TextIO, value: dict[str, Any]) -> None:
    answers.write(json.dumps(value) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), CLOCKS[sys.argv[4]])
