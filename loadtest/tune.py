"""How to divide the processors of this machine, measured with the model in use.

Divisions take turns, so that a machine that slows down slows all of them. Writes the profile that `make run` picks up.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tqdm import tqdm

from config.profile import Profile, write_profile
from inference.loading import choose_plan
from inference.machine import usable_cpus
from inference.package import load_package
from loadtest.harness import CLIP_SECONDS, REPOSITORY
from loadtest.harness.plots import drawing
from loadtest.harness.subject import TUNED, Subject, at_least, chosen_subject

_AS_GOOD = 0.97  # throughput within 3 % of the best counts as equal: less than a rerun moves it


@dataclass(frozen=True, slots=True)
class Division:
    """One way to divide the processors."""

    lanes: int
    threads: int
    spinning: bool

    @classmethod
    def all(cls, cpus: int) -> "list[Division]":
        """Every power of two of threads with as many lanes as fit, and the half-empty machine's single lane."""
        found = []
        threads = 1
        while threads <= cpus:
            for lanes in sorted({cpus // threads, 1} if threads > 1 else {cpus}, reverse=True):
                # One thread has nobody to wait for: it never spins.
                found += [cls(lanes, threads, spinning) for spinning in ((False, True) if threads > 1 else (False,))]
            threads *= 2
        return found

    def __str__(self) -> str:
        return f"{self.lanes} × {self.threads}{' spinning' if self.spinning else ''}"


@dataclass(slots=True)
class Measured:
    """What one division did, a value for each round."""

    rates: list[float] = field(default_factory=list)
    """Audio seconds a second, all lanes busy."""
    calls: list[float] = field(default_factory=list)
    """Seconds of one call while the other lanes rest."""

    @property
    def throughput(self) -> float:
        """The median of the rates."""
        return median(self.rates)

    @property
    def latency(self) -> float:
        """The median of the calls."""
        return median(self.calls)


def main(options: argparse.Namespace) -> int:
    """Measure, print, draw, and write the profile."""
    subject, cpus = chosen_subject(options), usable_cpus()
    results = _measure(subject, Division.all(cpus), options.seconds, options.rounds)
    best = choose(results, options.prefer)
    for division, measured in results.items():
        mark = "  ←" if division == best else ""
        print(
            f"{division!s:15} {measured.throughput:7.1f} audio seconds a second, all lanes busy; "
            f"{1000 * measured.latency:6.0f} ms for one clip{mark}"
        )
    with drawing(options.plot, f"{subject.model.name}, {cpus} processors, {CLIP_SECONDS:g} s clips", 1, 2) as axes:
        names = list(map(str, results))
        axes[0].barh(names, [measured.throughput for measured in results.values()])
        axes[0].set_xlabel("audio seconds a second, all lanes busy")
        axes[0].set_ylabel("lanes × threads")
        axes[0].invert_yaxis()
        axes[1].barh(names, [1000 * measured.latency for measured in results.values()], color="tab:orange")
        axes[1].set_xlabel("ms for one clip on an idle machine")
    package = load_package(subject.model)
    graph = package.fingerprint(choose_plan(package, subject.precision))
    write_profile(Profile(graph, cpus, best.lanes, best.threads, best.spinning), options.out)
    print(f"{options.out} written: {best}; 'make run' uses it where ASR_WORKERS, ASR_LANES, ASR_THREADS are not set")
    return 0


def choose(results: dict[Division, Measured], prefer: str) -> Division:
    """Pick the highest throughput, and among equals the lowest latency; or the lowest latency alone."""
    best = max(measured.throughput for measured in results.values())
    equals = [
        division
        for division, measured in results.items()
        if prefer == "latency" or measured.throughput >= _AS_GOOD * best
    ]
    return min(equals, key=lambda division: results[division].latency)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add those of this command."""
    parser.add_argument("--seconds", type=at_least(0.0), default=4.0, help="of each measurement (default: 4)")
    parser.add_argument("--rounds", type=at_least(1, int), default=3, help="over all divisions (default: 3)")
    parser.add_argument("--prefer", choices=("throughput", "latency"), default="throughput")
    parser.add_argument("--out", type=Path, default=TUNED, help="(default: build/tuned.yaml)")
    parser.add_argument("--plot", type=Path, default=REPOSITORY / "build/tuned.png", help="(default: build/tuned.png)")


def _measure(subject: Subject, candidates: Sequence[Division], seconds: float, rounds: int) -> dict[Division, Measured]:
    results = {division: Measured() for division in candidates}
    clips = subject.clips([CLIP_SECONDS] * 4)
    with tqdm(total=rounds * len(candidates), unit="run", disable=None) as bar:
        for _ in range(rounds):
            for division, measured in results.items():
                bar.set_description(str(division))
                with subject.library(division.lanes, division.threads, spinning=division.spinning) as library:
                    library.prepare(clips)
                    measured.rates.append(library.rate(seconds) * CLIP_SECONDS)
                    measured.calls += library.work(seconds / 2, processes=1)[0].durations
                bar.update()
    return results
