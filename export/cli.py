"""Commands: nemo, verify, random, weights, quantise, language-model, calibrate, reliability."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from evaluation.manifest import InvalidManifest
from export.errors import ExportError, RefusedByGate
from inference.errors import InferenceError
from inference.package import Weights

_WEIGHTS = get_args(Weights)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 1 where a check found a difference or the gate refused, or 2 for an error."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except RefusedByGate as refusal:
        print(f"refused: {refusal}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        print(f"error: {error.name} is not installed: pip install -r requirements/export.txt", file=sys.stderr)
        return 2
    except (ExportError, InvalidManifest, InferenceError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m export", description="Make and check model packages.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_nemo(commands)
    _add_verify(commands)
    _add_random(commands)
    _add_weights(commands)
    _add_quantise(commands)
    _add_language_model(commands)
    _add_word_model(commands)
    _add_confidence(commands)
    return parser


def _add_nemo(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    nemo = commands.add_parser("nemo", help="a .nemo file or a pretrained name → a package")
    nemo.add_argument("source", help="a .nemo file, or a name such as stt_hi_conformer_ctc_medium")
    nemo.add_argument("--out", type=Path, required=True, metavar="models/NAME")
    nemo.add_argument("--name", help="of the model (default: the last part of --out)")
    nemo.add_argument("--language", default="hi", help="BCP 47 tag (default: hi)")
    nemo.add_argument("--licence", default="unknown", help="of the weights (default: unknown)")
    nemo.add_argument("--source-text", metavar="TEXT", help="where the weights come from (default: SOURCE)")
    nemo.add_argument(
        "--semantics",
        choices=("nemo-1", "nemo-2.5"),
        help="features before or from NeMo 2.5 (default: the checkpoint's)",
    )
    nemo.add_argument(
        "--positions",
        type=_at_least_one,
        metavar="STEPS",
        help="length of the positional table: fewer make a smaller file and shorter audio (default: the checkpoint's)",
    )
    nemo.add_argument(
        "--weights",
        choices=_WEIGHTS,
        default="float32",
        help="as stored; float16 and int8 make the file smaller",
    )
    nemo.add_argument("--replace", action="store_true", help="write over an existing package")
    nemo.set_defaults(run=_nemo)


def _add_verify(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    verify = commands.add_parser("verify", help="run NeMo and the package on the same clips")
    verify.add_argument("package", type=Path, metavar="models/NAME")
    verify.add_argument("--nemo", required=True, metavar="FILE", help="the .nemo file that it was made from")
    verify.add_argument("audio", type=Path, nargs="+")
    verify.set_defaults(run=_verify)


def _add_random(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    random = commands.add_parser("random", help="a package with random weights, for benchmarks of speed")
    random.add_argument("--size", choices=("small", "medium", "large"), required=True)
    random.add_argument("--out", type=Path, required=True, metavar="DIR")
    random.add_argument("--seed", type=int, help="(default: always the same)")
    random.add_argument("--keep-nemo", type=Path, metavar="FILE", help="also save the model as a .nemo file")
    random.add_argument("--replace", action="store_true", help="write over an existing package")
    random.set_defaults(run=_random)


def _add_weights(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    weights = commands.add_parser(
        "weights", help="store those of a package in fewer bits, or in single precision again"
    )
    weights.add_argument("package", type=Path, metavar="models/NAME")
    weights.add_argument("weights", choices=_WEIGHTS)
    weights.set_defaults(run=_weights)


def _add_quantise(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    quantise = commands.add_parser("quantise", help="add an int8 plan, if the accuracy gate lets one pass")
    quantise.add_argument("package", type=Path, metavar="models/NAME")
    source = quantise.add_mutually_exclusive_group(required=True)
    source.add_argument("--dev", type=Path, nargs="+", metavar="MANIFEST", help="NeMo's JSON lines")
    source.add_argument("--like", type=Path, metavar="PACKAGE", help="no gate: its plan, for random weights alone")
    quantise.add_argument("--report", type=Path, metavar="FILE", help="also write the table here, as Markdown")
    quantise.set_defaults(run=_quantise)


def _add_language_model(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    model = commands.add_parser("language-model", help="learn from text, for beam search")
    _add_ngrams(model, "characters", 8, 2, "four and more")
    model.add_argument(
        "--gain", type=float, default=3.0, metavar="NATS", help="and those that make the text likelier by less (3)"
    )
    model.set_defaults(run=_language_model)


def _add_word_model(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    model = commands.add_parser("word-model", help="learn from text, to choose among what beam search has found")
    _add_ngrams(model, "words", 3, 2, "two and more")
    model.set_defaults(run=_word_model)


def _add_ngrams(model: argparse.ArgumentParser, symbols: str, order: int, least: int, which: str) -> None:
    model.add_argument("package", type=Path, metavar="models/NAME")
    model.add_argument("text", type=Path, nargs="+", metavar="TEXT", help="plain text in UTF-8, a sentence a line")
    model.add_argument("--dev", type=Path, nargs="+", required=True, metavar="MANIFEST", help="NeMo's JSON lines")
    model.add_argument(
        "--order", type=_at_least_one, default=order, help=f"{symbols} of an n-gram (default: %(default)s)"
    )
    model.add_argument(
        "--least",
        type=_at_least_one,
        default=least,
        help=f"n-grams of {which} that occur less often are left out ({least})",
    )


def _add_confidence(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    calibrate = commands.add_parser(
        "calibrate", help="learn what scores of words mean, on clips that judge nothing else"
    )
    calibrate.add_argument("package", type=Path, metavar="models/NAME")
    calibrate.add_argument("--dev", type=Path, nargs="+", required=True, metavar="MANIFEST", help="NeMo's JSON lines")
    calibrate.set_defaults(run=_calibrate)
    reliability = commands.add_parser("reliability", help="how true the confidences of a package's words are")
    reliability.add_argument("package", type=Path, metavar="models/NAME")
    reliability.add_argument("manifest", type=Path, nargs="+", metavar="MANIFEST", help="NeMo's JSON lines")
    reliability.add_argument("--picture", type=Path, metavar="FILE.png", help="draw it too; needs Matplotlib")
    reliability.set_defaults(run=_reliability)


# The commands' own modules bring torch or ONNX tools, so that each is imported when it runs.


def _nemo(options: argparse.Namespace) -> int:
    from export.package_writer import refuse_existing

    refuse_existing(options.out, replace=options.replace)  # before the minutes of work, not after
    from export.checkpoint import open_checkpoint
    from export.convert import Choices, Labels, write_package

    checkpoint = open_checkpoint(options.source)
    labels = Labels(options.name or options.out.name, options.language, options.licence, options.source_text)
    choices = Choices(options.semantics, options.positions, options.weights, options.replace)
    package = write_package(checkpoint, options.out, labels, choices)
    print(f"{options.out}: {package.blank} pieces and a blank, features as in {package.features.semantics}")
    return 0


def _verify(options: argparse.Namespace) -> int:
    from export.verify import verify

    return 0 if verify(options.package, options.nemo, options.audio) else 1


def _random(options: argparse.Namespace) -> int:
    from export.package_writer import refuse_existing

    refuse_existing(options.out, replace=options.replace)
    from export import random_model
    from export.convert import Choices, Labels, write_package

    seed = random_model.SEED if options.seed is None else options.seed
    checkpoint = random_model.random_checkpoint(random_model.SHAPES[options.size], seed, options.keep_nemo)
    labels = Labels(f"random-{options.size}", "hi", "none: the weights are random numbers", random_model.SOURCE)
    write_package(checkpoint, options.out, labels, Choices(replace=options.replace))
    print(f"{options.out}: {random_model.SOURCE}")
    return 0


def _weights(options: argparse.Namespace) -> int:
    from export.weights import store_weights

    path = store_weights(options.package, options.weights).model_path()
    print(f"{path}: {options.weights}, {path.stat().st_size / 1e6:.1f} MB")
    return 0


def _quantise(options: argparse.Namespace) -> int:
    from export.quantise import quantise, take_over

    if options.like:
        take_over(options.package, options.like)
    else:
        quantise(options.package, options.dev, options.report)
    return 0


def _language_model(options: argparse.Namespace) -> int:
    from export.language_model import add_language_model
    from export.ngrams import Size

    size = Size(options.order, options.least, options.gain)
    package = add_language_model(options.package, options.text, options.dev, size)
    print(f"{package.directory}: {package.language_model}")
    return 0


def _word_model(options: argparse.Namespace) -> int:
    from export.ngrams import Size
    from export.word_model import add_word_model

    package = add_word_model(options.package, options.text, options.dev, Size(options.order, options.least))
    print(f"{package.directory}: {package.word_model}")
    return 0


def _calibrate(options: argparse.Namespace) -> int:
    from export.confidence import calibrate

    package = calibrate(options.package, options.dev)
    for decoder, curve in package.confidence.items():
        print(f"{package.directory}: {decoder}: {curve}")
    return 0


def _reliability(options: argparse.Namespace) -> int:
    from export.confidence import reliability

    reliability(options.package, options.manifest, options.picture)
    return 0


def _at_least_one(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value
