"""The story of a comparison: start the programs, take turns, write the page."""

import argparse
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks import page, picture
from benchmarks.child import CLOCKS, RATE
from benchmarks.clips import cut
from benchmarks.limit import multiply_adds
from benchmarks.page import Compared, Spoken
from benchmarks.recognisers import FP32, INT8, NEMO
from benchmarks.rounds import Entrant, Failed, Program, take_turns
from inference.cpu import usable_cpus
from inference.errors import InferenceError
from inference.package import Package, load_package

_ROOT = Path(__file__).parent.parent


def main(arguments: Sequence[str]) -> int:
    """Return the exit status."""
    options = _parse(arguments)
    try:
        speed, accuracy = load_package(options.speed), load_package(options.accuracy)
        runs = [_compare(speed, options, threads) for threads in options.threads]
        spoken = _listen(accuracy, options)
    except (InferenceError, Failed) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    command = f"python -m benchmarks {shlex.join(arguments)}"
    page.write(options.out, page.render(runs, spoken, command, speed))
    picture.draw(runs[-1], options.picture, f"{speed.name}, threads: {runs[-1].threads}")
    print(options.out.read_text(encoding="utf-8"))
    return 0


def _compare(package: Package, options: argparse.Namespace, threads: int) -> Compared:
    """Time every program on every length."""
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        clips = cut(sorted(options.speech.glob("*.wav")), options.lengths, Path(scratch))
        programs = _start(_entrants(package, options, RATE), threads, Path(scratch), stack)
        results = take_turns(programs, list(clips.values()), options.rounds)
        frames = {seconds: _frames(package, seconds) for seconds in clips}
        work = {
            seconds: multiply_adds(package.model_path(), package.features.mel_bins, count)
            for seconds, count in frames.items()
        }
    return Compared(threads, options.clock, {seconds: results[clip] for seconds, clip in clips.items()}, work)


def _listen(package: Package, options: argparse.Namespace) -> Spoken:
    """Ask every program what it hears in the sample clips."""
    clips = sorted(options.speech.glob("*.wav"))
    rows = (line.split("\t") for line in (options.speech / "expected.tsv").read_text(encoding="utf-8").splitlines())
    said = {options.speech / name: text for name, text in rows}
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        # NeMo's checkpoint is that of the package that speed is measured with.
        entrants = [entrant for entrant in _entrants(package, options) if entrant.name not in NEMO]
        programs = _start(entrants, options.threads[0], Path(scratch), stack)
        heard = {name: {clip: program.ask(clip)["text"] for clip in clips} for name, program in programs.items()}
    return Spoken(package.name, said, heard)


def _entrants(package: Package, options: argparse.Namespace, *others: str) -> list[Entrant]:
    names = [*others, *FP32, *(INT8 if "int8" in package.models else ())]
    entrants = [Entrant(name, package.directory, clock=options.clock) for name in names]
    if options.nemo:
        entrants += [Entrant(name, options.nemo, options.nemo_python, options.clock) for name in NEMO]
    return entrants


def _start(entrants: Sequence[Entrant], threads: int, scratch: Path, stack: ExitStack) -> Mapping[str, Program]:
    return {
        entrant.name: stack.enter_context(Program(entrant, threads, scratch / f"{index}.log"))
        for index, entrant in enumerate(entrants)
    }


def _frames(package: Package, seconds: float) -> int:
    return round(seconds * package.features.sample_rate) // package.features.hop_size


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--speed", type=Path, required=True, help="package to time, `export random --size medium` say")
    parser.add_argument("--accuracy", type=Path, default=_ROOT / "models" / "hi-demo", help="package whose texts count")
    parser.add_argument("--speech", type=Path, default=_ROOT / "tests" / "data", help="WAV files and expected.tsv")
    parser.add_argument("--lengths", type=float, nargs="+", default=[1, 5, 10, 30], help="seconds")
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, usable_cpus()}))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--nemo", type=Path, help="checkpoint with the weights of --speed")
    parser.add_argument("--nemo-python", type=Path, help="interpreter of an environment with NeMo")
    parser.add_argument("--out", type=Path, default=_ROOT / "docs" / "benchmarks.md")
    parser.add_argument("--picture", type=Path, default=_ROOT / "docs" / "images" / "benchmarks.png")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="processor time bears a busy machine better")
    options = parser.parse_args(arguments)
    if options.clock == "processor" and max(options.threads) > 1:
        parser.error("processor time says something about one thread only: --threads 1")
    if (options.nemo is None) != (options.nemo_python is None):
        parser.error("--nemo and --nemo-python go together")
    return options
