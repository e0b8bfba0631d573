"""What the command line says."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks.child import CLOCKS
from benchmarks.programs import Division
from inference.machine import usable_cpus

PARTS = ("int8", "texts", "servers", "fairness", "lanes")

_ROOT = Path(__file__).parent.parent
_PEERS = _ROOT / ".venv-servers" / "bin" / "python"


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read it; end the process where it makes no sense."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Compare with other programs.")
    _models(parser)
    _programs(parser)
    _servers(parser)
    options = parser.parse_args(arguments)
    if options.clock == "processor" and options.divisions != [Division(1, 1)]:
        parser.error("processor time says something about one thread of one process only: --divisions 1x1")
    if options.rounds < len(options.lengths) - 1:
        parser.error(f"{options.rounds} rounds do not reach all lengths: one of them a round, beside the goals'")
    if (options.nemo or options.nemo_accuracy) and not options.nemo_python:
        parser.error("NeMo's checkpoints need --nemo-python")
    return options


def _models(parser: argparse.ArgumentParser) -> None:
    models = parser.add_argument_group("models and audio")
    models.add_argument("--speed", type=Path, required=True, help="package to time, `export random --size medium` say")
    models.add_argument("--accuracy", type=Path, default=_ROOT / "models" / "hi-demo", help="package whose texts count")
    models.add_argument("--speech", type=Path, default=_ROOT / "tests" / "data", help="WAV files and expected.tsv")
    models.add_argument("--manifest", type=Path, nargs="+", default=[], help="NeMo manifests: more clips for texts")
    models.add_argument("--manifest-clips", type=int, default=100, help="of each set at most (default: 100)")
    models.add_argument("--int8-plan", type=Path, help="package with the plan for --speed (default: --accuracy's)")
    models.add_argument("--nemo", type=Path, help="checkpoint with the weights of --speed")
    models.add_argument("--nemo-accuracy", type=Path, help="checkpoint with the weights of --accuracy")
    models.add_argument("--nemo-python", type=_program, help="interpreter of an environment with NeMo")
    models.add_argument("--out", type=Path, default=_ROOT / "docs" / "benchmarks.md")
    models.add_argument("--pictures", type=Path, default=_ROOT / "docs" / "images", help="folder")
    models.add_argument("--without", nargs="+", choices=PARTS, default=[], help="parts to leave out")


def _programs(parser: argparse.ArgumentParser) -> None:
    processors = usable_cpus()
    divisions = list(dict.fromkeys((Division(1, processors), Division(processors, 1))))
    programs = parser.add_argument_group("programs")
    programs.add_argument("--lengths", type=float, nargs="+", default=[1, 5, 10, 30], help="seconds of audio")
    programs.add_argument("--rounds", type=int, default=9, help="10 s in each; other lengths take turns (default: 9)")
    programs.add_argument("--seconds", type=float, default=2.0, help="of a program's turn (default: 2)")
    programs.add_argument("--clock", choices=CLOCKS, default="wall", help="processor time bears a busy machine better")
    programs.add_argument(
        "--divisions", type=_division, nargs="+", default=divisions, help="processes x threads, such as 1x2 2x1"
    )


def _servers(parser: argparse.ArgumentParser) -> None:
    servers = parser.add_argument_group("servers")
    python = _PEERS if _PEERS.exists() else None
    servers.add_argument(
        "--servers-python", type=_program, default=python, help="environment of requirements/peers.txt"
    )
    servers.add_argument("--server-rounds", type=int, default=5)
    servers.add_argument("--server-seconds", type=float, default=5.0, help="of full load in a round")
    servers.add_argument("--clients", type=int, default=8, help="at full load")


def _program(text: str) -> Path:
    return Path(text).absolute()  # never resolved: an environment's interpreter is a link


def _division(text: str) -> Division:
    found = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 2x1: processes x threads")
    return Division(int(found[1]), int(found[2]))
