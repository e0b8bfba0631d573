"""What the programs did, and what follows from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.programs import Division
from benchmarks.rounds import Results, nearest
from benchmarks.spread import Spread, ratios, spread

LIMIT = "the limit"
OURS, OURS_FP32 = "this library", "this library, fp32"
RUNTIME = "ONNX Runtime alone"
SHERPA, ONNX_ASR, NEMO = "sherpa-onnx", "onnx-asr", "NeMo"
PEERS_FP32 = (SHERPA, ONNX_ASR, NEMO)


@dataclass(frozen=True, slots=True)
class Compared:
    """Times of all programs in all divisions of the processors."""

    clock: str
    divisions: Sequence[Division]
    results: Mapping[float, Mapping[tuple[str, Division], Results]]
    """Seconds of audio → program and division → its results; the limit is one of the programs."""
    work: Mapping[float, float]
    """Seconds of audio → multiply-adds of the exported graph, in units of those of one turn of the limit."""
    computes: Mapping[str, str] = field(default_factory=dict)
    """Program → precision, in words."""
    broken: Mapping[str, str] = field(default_factory=dict)
    """Program → why it had to leave."""

    @property
    def lengths(self) -> list[float]:
        """Seconds of audio."""
        return list(self.results)

    @property
    def main(self) -> float:
        """The length that is nearest to the goals'."""
        return nearest(self.results)

    @property
    def names(self) -> list[str]:
        """Programs."""
        found = dict.fromkeys(name for entry in self.results.values() for name, _ in entry)
        return [name for name in found if name != LIMIT]

    def peers(self) -> list[str]:
        """Other people's programs, in all precisions."""
        return [name for name in self.names if name.startswith(PEERS_FP32)]

    def limit(self, seconds: float) -> Results:
        """Seconds that the multiply-adds would take at the rate of matrix products, in the same rounds."""
        return Results([self.work[seconds] * unit for unit in self.full(seconds, LIMIT).seconds])

    def alone(self, seconds: float, name: str) -> Results:
        """One client: one process with all threads."""
        return self.results[seconds][name, min(self.divisions, key=lambda division: division.processes)]

    def full(self, seconds: float, name: str) -> Results:
        """Full load: in the division that suits the program best."""
        return min(
            (self.results[seconds][name, division] for division in self.divisions), key=lambda found: found.median
        )

    def fastest(self, seconds: float, names: Sequence[str], *, full: bool = True) -> str:
        """Of several programs."""
        pick = self.full if full else self.alone
        return min(names, key=lambda name: pick(seconds, name).median)

    def gain(self, seconds: float, ours: str, theirs: Sequence[str], *, full: bool = True) -> Spread:
        """How many times faster ours is than the fastest of theirs."""
        pick = self.full if full else self.alone
        return pick(seconds, ours).ratio(pick(seconds, self.fastest(seconds, theirs, full=full)))

    def share(self, seconds: float, name: str) -> Spread:
        """Part of the limit that is reached at full load."""
        return ratios(self.limit(seconds).seconds, self.full(seconds, name).seconds)

    def outside(self, seconds: float, name: str) -> Spread:
        """Percent of the time from bytes to text that is spent outside ONNX Runtime, in the best division."""
        return spread([100 * share for share in self.full(seconds, name).outside])
