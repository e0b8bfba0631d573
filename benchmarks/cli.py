"""The story of a comparison: start the programs, take turns, write the page."""

import argparse
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from benchmarks import accuracy, contestants, fairness, lanes, machine, page, picture, quantised, serving
from benchmarks.child import RATE
from benchmarks.clips import cut, pieces
from benchmarks.compared import Compared
from benchmarks.entrants import Checkpoint, Subject
from benchmarks.limit import multiply_adds
from benchmarks.options import parse
from benchmarks.page import Measured
from benchmarks.rounds import Division, Entrant, Failed, Program, take_turns
from benchmarks.served import NotServing
from benchmarks.wire import Refused
from inference.cpu import usable_cpus
from inference.errors import InferenceError
from inference.package import Package, load_package

Part = TypeVar("Part")

_SERVER_CLIPS, _SERVER_SECONDS = 8, 5.0
_FAIRNESS_ROUNDS, _LANE_STARTS, _LANES = 5, 7, 3


def main(arguments: Sequence[str]) -> int:
    """Return the exit status."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and programs end with us
    before = machine.load()
    try:
        speed, heard = load_package(options.speed), load_package(options.accuracy)
        with tempfile.TemporaryDirectory() as scratch:
            measured = _measure(speed, heard, options, Path(scratch))
    except (InferenceError, Failed) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    command = f"python -m benchmarks {shlex.join(arguments)}"
    told = machine.describe(options.servers_python, options.nemo_python)
    told += f"; load average {before} before, {machine.load()} after"
    page.write(options.out, page.render(measured, speed, heard, command, told))
    picture.programs(measured.library, options.pictures / "benchmarks.png", f"{speed.name}, full load")
    if measured.served:
        title = f"{speed.name}, clips of {_SERVER_SECONDS:g} s, full load"
        picture.servers(measured.served, options.pictures / "servers.png", title)
    print(options.out.read_text(encoding="utf-8"))
    return 0


def _measure(speed: Package, heard: Package, options: argparse.Namespace, scratch: Path) -> Measured:
    timed = _subject(speed, options.nemo, options, scratch / "speed")
    speech = sorted(options.speech.glob("*.wav"))
    clips = cut(speech, [*options.lengths, 10.0], scratch)
    ours = contestants.this_server(speed.directory)
    flood = fairness.Flood(pieces(speech, 1.0, 4), pieces(speech, 10.0, 4), options.clients, options.server_seconds)
    return Measured(
        library=_compare(timed, options, {seconds: clips[seconds] for seconds in options.lengths}, scratch),
        heard=[] if "texts" in options.without else _listen(heard, options, scratch),
        served=_part("servers", options, lambda: _serve(timed, options, speech, scratch)),
        waits=_part("fairness", options, lambda: fairness.measure(ours, flood, _FAIRNESS_ROUNDS, scratch)),
        lanes=_part("lanes", options, lambda: lanes.measure(speed.directory, clips[10.0], _LANES, _LANE_STARTS)),
    )


def _subject(package: Package, checkpoint: Path | None, options: argparse.Namespace, scratch: Path) -> Subject:
    plan = options.int8_plan or options.accuracy
    return Subject(
        package,
        None if "int8" in options.without else quantised.make(package, plan, scratch),
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
    limit = Entrant(RATE, RATE, package.directory)
    found = [limit, *subject.entrants()]
    with ExitStack() as stack:
        programs = {
            (entrant.name, division): stack.enter_context(_start(entrant, division, options, scratch))
            for entrant in found
            for division in options.divisions
        }
        results = take_turns(programs, clips, options.rounds)
    work = {
        seconds: multiply_adds(package.model_path(), package.features.mel_bins, _frames(package, seconds))
        for seconds in clips
    }
    return Compared(options.clock, options.divisions, results, work)


def _listen(
    package: Package, options: argparse.Namespace, scratch: Path
) -> list[tuple[accuracy.Known, Mapping[str, accuracy.Heard]]]:
    """Ask every program what it hears in clips whose text is known."""
    sets = [accuracy.samples(options.speech), *accuracy.test_sets(options.manifest, options.manifest_clips)]
    subject = _subject(package, options.nemo_accuracy, options, scratch / "accuracy")
    found = [entrant for entrant in subject.entrants() if entrant.kind != "onnx_runtime"]  # it makes no text
    with ExitStack() as stack:
        programs = {
            entrant.name: stack.enter_context(_start(entrant, options.divisions[0], options, scratch))
            for entrant in found
        }
        return [(known, accuracy.listen(programs, known)) for known in sets]


def _serve(subject: Subject, options: argparse.Namespace, speech: Sequence[Path], scratch: Path) -> serving.Comparison:
    """Load every server."""
    load = serving.Load(
        pieces(speech, _SERVER_SECONDS, _SERVER_CLIPS), _SERVER_SECONDS, options.clients, options.server_seconds
    )
    servers = contestants.fp32(subject.package, options.servers_python, usable_cpus())
    if subject.graphs:
        servers |= contestants.int8(subject.graphs, options.servers_python, usable_cpus())
    return serving.compare(servers, load, options.server_rounds, scratch)


def _start(entrant: Entrant, division: Division, options: argparse.Namespace, scratch: Path) -> Program:
    log = Path(tempfile.mkstemp(prefix="program-", suffix=".log", dir=scratch)[1])
    return Program(replace(entrant, clock=options.clock), division, log)


def _frames(package: Package, seconds: float) -> int:
    return round(seconds * package.features.sample_rate) // package.features.hop_size
