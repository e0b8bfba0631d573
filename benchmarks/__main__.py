"""`python -m benchmarks --speed PACKAGE`: other programs and servers on the same weights; `make bench`."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import accuracy, page, quantised
from benchmarks.limit import UNIT, multiply_adds
from benchmarks.programs import Division, company, take_turns
from benchmarks.servers.comparison import Load, compare
from benchmarks.servers.roster import everybody
from benchmarks.subject import LIMIT, RUNTIME, Subject
from inference.errors import InferenceError
from inference.machine import usable_cpus
from inference.package import Package, load_package
from loadtest.harness import REPOSITORY
from loadtest.harness.children import Failed
from loadtest.harness.clips import Clip, make_clips, write_clips
from loadtest.harness.server import ServerFailed

_PEERS = REPOSITORY / ".venv-servers" / "bin" / "python"
_SERVER_CLIPS = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, print, and write where it was asked for; return the exit status."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and programs end with us
    try:
        with tempfile.TemporaryDirectory(prefix="benchmarks-") as scratch:
            _compare(options, Path(scratch))
    except (InferenceError, Failed, ServerFailed) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    return 0


def _compare(options: argparse.Namespace, scratch: Path) -> None:
    package = load_package(options.speed)
    subject = _subject(package, options, options.nemo, scratch / "speed")
    clips = make_clips(lambda _: "", [options.length] * _SERVER_CLIPS)
    (path, *_) = write_clips(clips, scratch / "clips")
    divisions = list(dict.fromkeys((Division(1, usable_cpus()), Division(usable_cpus(), 1))))
    with company(subject.entrants(), divisions, scratch) as cast:
        times = take_turns(cast, path, options.rounds, options.seconds)
        computes = {name: children.computes for (name, _), children in cast.programs.items()}
    features = package.features
    frames = round(options.length * features.sample_rate) // features.hop_size
    units = multiply_adds(package.model_path(), features.mel_bins, frames) / UNIT
    for found in times.seconds[LIMIT].values():
        found[:] = [units * seconds for seconds in found]
    rates = {} if "texts" in options.without else _listen(options, scratch)
    report = page.Report(options.length, options.page, package.name)
    report.libraries(times, computes, rates)
    if "servers" not in options.without:
        _serve(subject, clips, options, scratch, report)
    if options.picture:
        report.draw(options.picture)


def _subject(package: Package, options: argparse.Namespace, checkpoint: Path | None, scratch: Path) -> Subject:
    if "int8" in options.without:
        return Subject(package, None, checkpoint, options.nemo_python)
    planned = quantised.planned(package, options.int8_plan or options.accuracy, scratch / "planned")
    return Subject(planned, quantised.make(package, scratch), checkpoint, options.nemo_python)


def _listen(options: argparse.Namespace, scratch: Path) -> dict[str, float]:
    """Ask every program what it hears in clips whose text is known."""
    known = accuracy.known_clips(options.manifest, options.manifest_clips)
    subject = _subject(load_package(options.accuracy), options, options.nemo_accuracy, scratch / "accuracy")
    division = Division(1, usable_cpus())
    entrants = [entrant for entrant in subject.entrants() if entrant.name not in (LIMIT, RUNTIME)]
    with company(entrants, [division], scratch) as cast:
        return accuracy.word_error_rates(cast, known, division)


def _serve(
    subject: Subject, clips: Sequence[Clip], options: argparse.Namespace, scratch: Path, report: page.Report
) -> None:
    load = Load(clips, options.clients, options.server_seconds)
    servers = everybody(subject, options.servers_python, usable_cpus())
    turns, broken = compare(servers, load, options.server_rounds, scratch)
    for name, reason in broken.items():
        print(f"left out: {name}: {reason}", file=sys.stderr)
    report.servers(turns)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    models = parser.add_argument_group("models and audio")
    models.add_argument("--speed", type=Path, required=True, help="package to time, `export random --size medium` say")
    models.add_argument(
        "--accuracy", type=Path, default=REPOSITORY / "models/hi-demo", help="package whose texts count"
    )
    models.add_argument("--manifest", type=Path, nargs="+", default=[], help="NeMo manifests: more clips for texts")
    models.add_argument("--manifest-clips", type=int, default=100, help="of them at most (default: 100)")
    models.add_argument("--int8-plan", type=Path, help="package with the plan for --speed (default: --accuracy's)")
    models.add_argument("--nemo", type=Path, help="checkpoint with the weights of --speed")
    models.add_argument("--nemo-accuracy", type=Path, help="checkpoint with the weights of --accuracy")
    models.add_argument("--nemo-python", type=_program, help="interpreter of an environment with NeMo")
    models.add_argument("--length", type=float, default=10.0, help="of a clip in seconds (default: 10)")
    how = parser.add_argument_group("how long, and what for")
    how.add_argument("--rounds", type=int, default=9, help="of programs (default: 9)")
    how.add_argument("--seconds", type=float, default=2.0, help="of a program's turn (default: 2)")
    how.add_argument("--servers-python", type=_program, default=_PEERS if _PEERS.exists() else None)
    how.add_argument("--server-rounds", type=int, default=5)
    how.add_argument("--server-seconds", type=float, default=5.0, help="of full load in a round (default: 5)")
    how.add_argument("--clients", type=int, default=8, help="at full load (default: 8)")
    how.add_argument("--without", nargs="+", choices=("int8", "texts", "servers"), default=[], help="to leave out")
    how.add_argument("--page", type=Path, help="to write to, docs/performance.md say")
    how.add_argument("--picture", type=Path, help="to draw")
    return parser


def _program(text: str) -> Path:
    return Path(text).absolute()  # never resolved: an environment's interpreter is a link


if __name__ == "__main__":
    sys.exit(main())
