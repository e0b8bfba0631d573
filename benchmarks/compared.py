"""What the programs did, and what follows from it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.child import RATE
from benchmarks.rounds import Division, Results
from benchmarks.spread import Spread, spread

OURS, OURS_INT8 = "this library", "this library, int8"
RUNTIME = "ONNX Runtime alone"
SHERPA, ONNX_ASR, NEMO = "sherpa-onnx", "onnx-asr", "NeMo"


@dataclass(frozen=True, slots=True)
class Compared:
    """Times of all programs in all divisions of the processors."""

    clock: str
    divisions: Sequence[Division]
    results: Mapping[float, Mapping[tuple[str, Division], Results]]
    """Seconds of audio → program and division → its results, the best matrix product among them."""
    work: Mapping[float, int]
    """Seconds of audio → multiply-adds of the exported graph."""

    @property
    def lengths(self) -> list[float]:
        """Seconds of audio."""
        return list(self.results)

    @property
    def names(self) -> list[str]:
        """Programs."""
        found = dict.fromkeys(name for entry in self.results.values() for name, _ in entry)
        return [name for name in found if name != RATE]

    def limit(self, seconds: float) -> float:
        """Seconds that the multiply-adds would take at the best rate of this run."""
        rates = (found.seconds for entry in self.results.values() for (name, _), found in entry.items() if name == RATE)
        return self.work[seconds] * min(min(found) for found in rates)

    def alone(self, seconds: float, name: str) -> Results:
        """One client: one process with all threads."""
        return self.results[seconds][name, min(self.divisions, key=lambda division: division.processes)]

    def full(self, seconds: float, name: str) -> Results:
        """Full load: in the division that suits the program best."""
        return min(
            (self.results[seconds][name, division] for division in self.divisions), key=lambda found: found.median
        )

    def gain(self, seconds: float, ours: Sequence[str], theirs: Sequence[str], *, full: bool = True) -> Spread:
        """How many times faster the best of ours is than the best of theirs."""
        pick: Callable[[float, str], Results] = self.full if full else self.alone
        best = [
            min((pick(seconds, name) for name in names), key=lambda found: found.median) for names in (ours, theirs)
        ]
        return best[0].ratio(best[1])

    def share(self, seconds: float, name: str) -> Spread:
        """Part of the limit that is reached at full load."""
        limit = self.limit(seconds)
        return spread([limit / found for found in self.full(seconds, name).seconds])

    def outside(self, seconds: float, name: str = OURS) -> Spread:
        """Percent of the time from bytes to text that is spent outside ONNX Runtime, in the best division."""
        return spread([100 * share for share in self.full(seconds, name).outside])
