"""`python -m benchmarks.child KIND MODEL THREADS CLOCK`: one program, that answers a line with a line.

It runs with any interpreter that has the program; lines are JSON. A clip's path and for how long to hear it come in;
the seconds of one time and the text go out.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from benchmarks.recognisers import KINDS, Recogniser

Clock = Callable[[], float]
CLOCKS: Mapping[str, Clock] = {"wall": time.perf_counter, "processor": time.process_time}
"""What passes by, or what this process was given by a processor that it had to share."""
_WARM_UP = 0.2  # seconds, one clip at least: caches are others', and the kernel has to hand out memory again


def main(kind: str, model: Path, threads: int, clock: Clock) -> None:
    """Load, say what is computed, then answer until there are no more questions."""
    answers = _own_stdout()
    recogniser = KINDS[kind](model, threads)
    _say(answers, {"computes": recogniser.computes})
    for line in sys.stdin:
        question = json.loads(line)
        _say(answers, _answer(recogniser, Path(question["clip"]), question["seconds"], clock))


def _answer(recogniser: Recogniser, clip: Path, seconds: float, clock: Clock) -> dict[str, Any]:
    sound = recogniser.ready(clip)
    if seconds:
        _hear(recogniser, sound, _WARM_UP, clock)
    each, text = _hear(recogniser, sound, seconds, clock)
    return {"seconds": each, "text": text, "outside": recogniser.outside and recogniser.outside()}


def _hear(recogniser: Recogniser, sound: Any, seconds: float, clock: Clock) -> tuple[float, str]:
    """Hear a clip again and again until so many seconds are over; return those of one time, and the text."""
    started, times = clock(), 0
    while True:
        text = recogniser.hear(sound)
        times += 1
        elapsed = clock() - started
        if elapsed >= seconds:
            return elapsed / times, text


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
