"""Programs take turns (A B C, B C A, …); in its turn a program has the machine to itself for some time."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tqdm import tqdm

from benchmarks.subject import Entrant
from loadtest.harness.children import Children, Failed
from loadtest.harness.statistics import Spread, ratios

_WARM_UP = 0.2  # seconds, one clip at least: caches are others', and the kernel has to hand out memory again
_PAUSE = 0.05  # seconds: ONNX Runtime's idle threads spin for about 30 ms, and would do so at the next one's cost


@dataclass(frozen=True, slots=True)
class Division:
    """How a program uses the processors."""

    processes: int
    """Hear one clip each, side by side."""
    threads: int
    """Inside one of them."""


@dataclass(slots=True)
class Company:
    """Programs that are running."""

    programs: dict[tuple[str, Division], Children] = field(default_factory=dict)
    needed: frozenset[str] = frozenset()
    broken: dict[str, str] = field(default_factory=dict)
    """Name → why it had to leave: a peer that breaks down shall not cost the others their figures."""

    def lose(self, name: str, error: Failed) -> None:
        """Go on without a program in all its divisions; raise Failed where it is needed."""
        if name in self.needed:
            raise Failed(f"{name}: {error}") from error
        self.broken[name] = str(error)
        for key in [key for key in self.programs if key[0] == name]:
            del self.programs[key]


@dataclass(slots=True)
class Times:
    """Of all programs on one clip: program → division → an entry for each round."""

    seconds: dict[str, dict[Division, list[float]]] = field(default_factory=dict)
    """Of one clip; several processes share them: two that take 0.1 s each make 0.05."""
    outside: dict[str, float] = field(default_factory=dict)
    """Share spent outside ONNX Runtime, where the program knows it."""

    def alone(self, name: str) -> list[float]:
        """One client: one process with all threads."""
        found = self.seconds[name]
        return found[min(found, key=lambda division: division.processes)]

    def full(self, name: str) -> list[float]:
        """Full load: the division that suits the program best."""
        return min(self.seconds[name].values(), key=median)

    def gain(self, ours: str, theirs: str) -> Spread:
        """How many times faster ours is than theirs at full load, round by round."""
        return ratios(self.full(theirs), self.full(ours))


@contextmanager
def company(entrants: Sequence[Entrant], divisions: Sequence[Division], scratch: Path) -> Iterator[Company]:
    """Start each in every division of the processors."""
    found = Company(needed=frozenset(entrant.name for entrant in entrants if entrant.needed))
    with ExitStack() as stack:
        for entrant in tqdm(entrants, desc="loading", unit="program", disable=None):
            try:
                for division in divisions:
                    log = Path(tempfile.mkstemp(prefix="program-", suffix=".log", dir=scratch)[1])
                    given = {**entrant.given, "threads": division.threads}
                    children = Children(entrant.function, given, log, division.processes, **entrant.how)
                    found.programs[entrant.name, division] = stack.enter_context(children)
            except Failed as error:
                found.lose(entrant.name, error)
        yield found


def take_turns(cast: Company, clip: Path, rounds: int, seconds: float) -> Times:
    """Let each program hear the clip for so long in every round; each round begins with another program."""
    times = Times()
    keys = list(cast.programs)
    plan = [keys[(index + number) % len(keys)] for number in range(rounds) for index in range(len(keys))]
    for name, division in tqdm(plan, desc="programs", unit="turn", disable=None):
        if (name, division) not in cast.programs:
            continue
        time.sleep(_PAUSE)
        try:
            heard = cast.programs[name, division].hear([clip], seconds, warm_up=_WARM_UP)
        except Failed as error:
            cast.lose(name, error)
            times.seconds.pop(name, None)
            continue
        found = times.seconds.setdefault(name, {}).setdefault(division, [])
        found.append(1 / sum(child.rate for child in heard))
        if heard[0].outside is not None:
            times.outside[name] = heard[0].outside
    return times
