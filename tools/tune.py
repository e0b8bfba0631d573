"""`python -m tools.tune`: how to divide the processors of this machine, measured with the model in use."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from config.profile import Profile, write_profile
from inference.errors import InferenceError
from inference.loading import choose_plan, load
from inference.machine import usable_cpus
from inference.package import load_package
from inference.recogniser import SessionOptions
from tools import plots
from tools.bare import BareLibrary
from tools.clips import REPOSITORY, make_clips
from tools.command_line import add_model, at_least
from tools.statistics import median

_CLIP_SECONDS = 5.0
_AS_GOOD = 0.97  # throughput within 3 % of the best counts as equal: less than a rerun moves it


@dataclass(frozen=True, slots=True)
class Division:
    """One way to divide the processors."""

    lanes: int
    threads: int
    spinning: bool

    def __str__(self) -> str:
        return f"{self.lanes} × {self.threads}{' spinning' if self.spinning else ''}"


@dataclass(slots=True)
class Measured:
    """What one division did, a value for each round."""

    throughput: list[float] = field(default_factory=list)
    """Audio seconds a second, all lanes busy."""
    latency: list[float] = field(default_factory=list)
    """Seconds of one call while the other lanes rest."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, plot, and write the profile; return 0, or 2 where the model cannot be used."""
    options = _parser().parse_args(arguments)
    cpus = usable_cpus()
    try:
        results = measure(options.model, options.precision, divisions(cpus), options.seconds, options.rounds)
        package = load_package(options.model)
        graph = package.fingerprint(choose_plan(package, options.precision))
    except InferenceError as error:
        print(error, file=sys.stderr)
        return 2
    best = choose(results, options.prefer)
    print(table(results, best))
    plots.divisions(
        {str(division): (median(m.throughput), median(m.latency)) for division, m in results.items()},
        options.plot,
        f"{options.model.name}, {cpus} processors, {_CLIP_SECONDS:g} s clips",
    )
    write_profile(Profile(graph, cpus, best.lanes, best.threads, best.spinning), options.out)
    print(f"{options.out} written: {best}; 'make run' uses it where ASR_WORKERS, ASR_LANES, ASR_THREADS are not set")
    return 0


def divisions(cpus: int) -> list[Division]:
    """Every power of two of threads with as many lanes as fit, and the half-empty machine's single lane."""
    found = []
    threads = 1
    while threads <= cpus:
        lane_counts = {cpus // threads, 1} if threads > 1 or cpus == 1 else {cpus // threads}
        for lanes in sorted(lane_counts, reverse=True):
            # One thread has nobody to wait for: it never spins.
            found += [Division(lanes, threads, spinning) for spinning in ((False, True) if threads > 1 else (False,))]
        threads *= 2
    return found


def measure(
    model: Path, precision: str, candidates: Sequence[Division], seconds: float, rounds: int
) -> dict[Division, Measured]:
    """Go round all candidates `rounds` times, so that a machine that slows down slows all of them."""
    results = {division: Measured() for division in candidates}
    pipeline = load(load_package(model), precision=precision)
    clips = [clip.data for clip in make_clips(pipeline, [_CLIP_SECONDS] * 4, limit_seconds=_CLIP_SECONDS)]
    with tqdm(total=rounds * len(candidates), unit="run", disable=None) as bar:
        for _ in range(rounds):
            for division, measured in results.items():
                bar.set_description(str(division))
                session = SessionOptions(division.threads, division.spinning)
                with BareLibrary(model, division.lanes, session, _CLIP_SECONDS, precision) as library:
                    library.work(clips, 0.0)  # the first call of a process allocates
                    measured.throughput.append(library.rate(clips, seconds) * _CLIP_SECONDS)
                    measured.latency += library.work(clips, seconds / 2, processes=1)[0].durations
                bar.update()
    return results


def choose(results: dict[Division, Measured], prefer: str) -> Division:
    """Pick the highest throughput, and among equals the lowest latency; or the lowest latency alone."""
    if prefer == "latency":
        return min(results, key=lambda division: median(results[division].latency))
    best = max(median(measured.throughput) for measured in results.values())
    equals = [division for division, m in results.items() if median(m.throughput) >= _AS_GOOD * best]
    return min(equals, key=lambda division: median(results[division].latency))


def table(results: dict[Division, Measured], best: Division) -> str:
    """Lanes, threads, spinning, throughput and latency, in the order measured."""
    lines = ["lanes  threads  spinning  audio s/s  one clip ms"]
    for division, measured in results.items():
        lines.append(
            f"{division.lanes:5}  {division.threads:7}  {'yes' if division.spinning else 'no':>8}  "
            f"{median(measured.throughput):9.1f}  {1000 * median(measured.latency):11.0f}"
            + ("  ←" if division == best else "")
        )
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.tune", description=__doc__)
    add_model(parser)
    parser.add_argument("--seconds", type=at_least(0.0), default=4.0, help="of each measurement (default: 4)")
    parser.add_argument("--rounds", type=at_least(1, int), default=3, help="over all divisions (default: 3)")
    parser.add_argument("--prefer", choices=("throughput", "latency"), default="throughput")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "build/tuned.yaml", help="(default: build/tuned.yaml)")
    parser.add_argument("--plot", type=Path, default=REPOSITORY / "build/tuned.png", help="(default: build/tuned.png)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
