"""The story of a comparison: start the programs, take turns, write the page."""

import argparse
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from benchmarks import accuracy, contestants, fairness, lanes, machine, page, picture, quantised, serving
from benchmarks.clips import cut, pieces
from benchmarks.compared import Compared
from benchmarks.entrants import Checkpoint, Subject
from benchmarks.limit import UNIT, multiply_adds
from benchmarks.options import parse
from benchmarks.page import Measured
from benchmarks.programs import Failed, company
from benchmarks.rounds import GOAL_SECONDS, Turns, take_turns
from benchmarks.served import NotServing
from benchmarks.wire import Refused
from inference.errors import InferenceError
from inference.machine import usable_cpus
from inference.package import Package, load_package

Part = TypeVar("Part")

_SERVER_CLIPS = 4
_LANE_STARTS, _LANES = 7, 3


def main(arguments: Sequence[str]) -> int:
    """Return the exit status."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and programs end with us
    told = machine.describe(options.servers_python, options.nemo_python)
    told += f"; load average {machine.load()} before"
    started = time.monotonic()
    try:
        speed, heard = load_package(options.speed), load_package(options.accuracy)
        with tempfile.TemporaryDirectory() as scratch:
            measured = _measure(speed, heard, options, Path(scratch))
    except (InferenceError, Failed) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    command = f"python -m benchmarks {shlex.join(arguments)}"
    told += f", {machine.load()} after {(time.monotonic() - started) / 60:.0f} minutes"
    text = page.render(measured, speed, heard, command, told)
    page.write(options.out, text)
    picture.programs(measured.library, options.pictures / "benchmarks.png", f"Libraries at full load, {speed.name}")
    if measured.served:
        title = f"Servers at full load, {speed.name}, clips of {GOAL_SECONDS:g} s"
        picture.servers(measured.served, options.pictures / "servers.png", title)
    print(text)
    return 0


def _measure(speed: Package, heard: Package, options: argparse.Namespace, scratch: Path) -> Measured:
    timed = _subject(speed, options.nemo, options, scratch / "speed")
    speech = sorted(options.speech.glob("*.wav"))
    clips = cut(speech, [*options.lengths, GOAL_SECONDS], scratch)
    ours = timed.package.directory
    server = contestants.this_server(ours)
    flood = fairness.Flood(
        pieces(speech, 1.0, 4), pieces(speech, GOAL_SECONDS, 4), options.clients, options.server_seconds
    )
    return Measured(
        texts=accuracy.Texts() if "texts" in options.without else _listen(heard, options, scratch),
        library=_compare(timed, options, {seconds: clips[seconds] for seconds in options.lengths}, scratch),
        served=_part("servers", options, lambda: _serve(timed, options, speech, scratch)),
        waits=_part("fairness", options, lambda: fairness.measure(server, flood, options.server_rounds, scratch)),
        lanes=_part("lanes", options, lambda: lanes.measure(ours, clips[GOAL_SECONDS], _LANES, _LANE_STARTS)),
    )


def _subject(package: Package, checkpoint: Path | None, options: argparse.Namespace, scratch: Path) -> Subject:
    int8 = "int8" not in options.without
    return Subject(
        quantised.planned(package, options.int8_plan or options.accuracy, scratch / "planned") if int8 else package,
        quantised.make(package, scratch) if int8 else None,
        Checkpoint(checkpoint, options.nemo_python) if checkpoint else None,
    )


def _part(name: str, options: argparse.Namespace, measure: Callable[[], Part]) -> Part | None:
    """Measure what was not left out; a server that breaks down shall not cost the tables of the programs."""
    if name in options.without:
        return None
    try:
        return measure()
    except (NotServing, Refused, OSError, EOFError, subprocess.CalledProcessError) as error:
        print(f"benchmarks: {name} left out: {error!r}", file=sys.stderr)
        return None


def _compare(subject: Subject, options: argparse.Namespace, clips: Mapping[float, Path], scratch: Path) -> Compared:
    """Time every program on every length."""
    package = subject.package
    turns = Turns(options.rounds, options.seconds)
    with company(subject.entrants(), options.divisions, options.clock, scratch) as cast:
        results = take_turns(cast, clips, turns)
        computes = {name: program.computes for (name, _), program in cast.programs.items()}
    work = {
        seconds: multiply_adds(package.model_path(), package.features.mel_bins, _frames(package, seconds)) / UNIT
        for seconds in clips
    }
    return Compared(options.clock, options.divisions, results, work, computes, cast.broken)


def _listen(package: Package, options: argparse.Namespace, scratch: Path) -> accuracy.Texts:
    """Ask every program what it hears in clips whose text is known."""
    sets = [accuracy.samples(options.speech), *accuracy.test_sets(options.manifest, options.manifest_clips)]
    subject = _subject(package, options.nemo_accuracy, options, scratch / "accuracy")
    division = options.divisions[0]
    with company(subject.hearing(), [division], options.clock, scratch) as cast:
        return accuracy.Texts([(known, accuracy.listen(cast, known, division)) for known in sets], cast.broken)


def _serve(subject: Subject, options: argparse.Namespace, speech: Sequence[Path], scratch: Path) -> serving.Comparison:
    """Load every server."""
    sounds = pieces(speech, GOAL_SECONDS, _SERVER_CLIPS)
    load = serving.Load(sounds, GOAL_SECONDS, options.clients, options.server_seconds)
    servers = contestants.everybody(subject, options.servers_python, usable_cpus())
    return serving.compare(servers, load, options.server_rounds, scratch)


def _frames(package: Package, seconds: float) -> int:
    return round(seconds * package.features.sample_rate) // package.features.hop_size
