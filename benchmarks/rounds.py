"""Programs take turns (A B C, B C A, …); in its turn a program has the machine to itself for some time."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tqdm import tqdm

from benchmarks.programs import Company, Division, Failed
from benchmarks.spread import Spread, ratios

GOAL_SECONDS = 10.0
"""Of audio: the length for which goals were set."""
_PAUSE = 0.05  # seconds: ONNX Runtime's idle threads spin for about 30 ms, and would do so at the next one's cost


@dataclass(slots=True)
class Results:
    """Of one program on one clip."""

    seconds: list[float] = field(default_factory=list)
    """Of one clip, one for each round, in order."""
    outside: list[float] = field(default_factory=list)
    """Shares spent outside ONNX Runtime, where the program knows them."""

    @property
    def median(self) -> float:
        """Seconds."""
        return median(self.seconds)

    def ratio(self, other: "Results") -> Spread:
        """How many times faster than `other`, round by round."""
        return ratios(other.seconds, self.seconds)


@dataclass(frozen=True, slots=True)
class Turns:
    """How many, and how long."""

    rounds: int
    seconds: float

    def lengths(self, number: int, available: Mapping[float, Path]) -> list[float]:
        """Return the lengths of one round: that of the goals, and one of the others, each in its turn."""
        main = nearest(available)
        others = [seconds for seconds in available if seconds != main]
        return [main, *([others[number % len(others)]] if others else [])]


def nearest(lengths: Mapping[float, object]) -> float:
    """Return the length that is nearest to the goals'."""
    return min(lengths, key=lambda seconds: abs(seconds - GOAL_SECONDS))


def take_turns(
    cast: Company, clips: Mapping[float, Path], turns: Turns
) -> dict[float, dict[tuple[str, Division], Results]]:
    """Seconds of audio → program → results; each round begins with another program."""
    keys = list(cast.programs)
    results = {seconds: {key: Results() for key in keys} for seconds in clips}
    plan = [
        (seconds, keys[(index + number) % len(keys)])
        for number in range(turns.rounds)
        for seconds in turns.lengths(number, clips)
        for index in range(len(keys))
    ]
    for seconds, key in tqdm(plan, desc="programs", unit="turn", disable=None):
        if key not in cast.programs:
            continue
        time.sleep(_PAUSE)
        try:
            answer = cast.programs[key].ask(clips[seconds], turns.seconds)
        except Failed as error:
            cast.lose(key[0], error)
            continue
        found = results[seconds][key]
        found.seconds.append(answer["seconds"])
        if answer["outside"] is not None:
            found.outside.append(answer["outside"])
    return {
        seconds: {key: entry for key, entry in found.items() if key in cast.programs}
        for seconds, found in results.items()
    }
