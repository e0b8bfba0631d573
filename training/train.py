"""Train the model within a budget of minutes, resumable, on a GPU where there is one and on the CPU otherwise.

    python -m training.train --work training/build --train kokoro/manifest.jsonl=3 --train espeak/manifest.jsonl=1 \
        --valid testsets/development/manifest.jsonl --minutes 100

The same command goes on from the last checkpoint. The learning rate follows the share of the budget that is spent:
a warm-up, a plateau, then a fall to nothing, so a run always ends annealed, however fast the machine. Time in which
the processes are suspended is not counted. ``--start PACKAGE`` begins with a package's weights and vocabulary.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from training.files import RecipeError, atomic_path, command, read_manifest
from training.network.arena import Arena
from training.network.checkpoint import is_under_way, load_start, save
from training.network.curves import Curves
from training.network.dataset import Batch, Draw, Group, Stream, with_clips
from training.network.model import SHAPE, build, make_tokenizer, shape_of
from training.network.schedule import Plan, learning_rate, strength
from training.network.team import Team, launch
from training.network.trainer import Trainer
from training.network.validate import character_error_rate
from training.network.warm_start import begin_from, package_tokenizer
from training.whisper.encoder import whisper_of
from training.whisper.start import begin_with_whisper


def run(trainer: Trainer, groups: list[Group], valid: list[dict[str, Any]]) -> None:
    """Train until the budget is spent; the first process keeps checkpoints, validation and curves."""
    plan, model, leader = trainer.plan, trainer.model, trainer.team.rank == 0
    share, short = plan.short_first
    arenas = [(Arena(group.manifest, trainer.folder / "decoded"), group.weight) for group in groups]
    curves = Curves(trainer.folder, trainer.progress.steps) if leader else None
    meter = tqdm(total=round(plan.minutes * 60), unit="s", desc="train", mininterval=5, disable=not leader)
    saved = trainer.progress.seconds
    was_short: bool | None = None
    batches: Iterator[Batch] = iter(())
    while not trainer.finished():
        is_short = trainer.spent() < share
        if is_short != was_short:
            seed = (plan.seed, trainer.progress.steps, trainer.team.rank)
            draw = Draw(plan.batch_seconds / trainer.team.size, longest=short if is_short else 16.0, seed=seed)
            stream = Stream(with_clips(arenas, short) if is_short else arenas, model, draw)
            batches = iter(stream)
            was_short = is_short
            model.train()
        stream.strength = strength(plan, trainer.spent())
        loss = trainer.step(next(batches))
        if curves is None:
            continue
        curves.step(trainer.progress, loss, learning_rate(plan, trainer.progress))
        meter.update(round(trainer.progress.seconds) - meter.n)
        meter.set_postfix(step=trainer.progress.steps, loss=f"{curves.recent:.3f}", refresh=False)
        if trainer.progress.seconds - saved > plan.checkpoint_minutes * 60 or trainer.finished():
            save(trainer.folder, model, trainer.optimiser, trainer.progress)
            if valid:
                curves.validation(trainer.progress, character_error_rate(model, valid))
            curves.draw()
            saved = trainer.progress.seconds
    meter.close()


def parse_group(text: str) -> Group:
    """``PATH`` or ``PATH=WEIGHT``."""
    path, _, weight = text.partition("=")
    return Group(Path(path), float(weight or 1))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="checkpoints, curves, tokenizer and decoded clips")
    parser.add_argument("--train", type=parse_group, action="append", required=True, metavar="MANIFEST[=WEIGHT]")
    parser.add_argument("--valid", type=Path, help="manifest of a small set to watch")
    parser.add_argument("--forbid", type=Path, action="append", default=[], help="test manifests: no text may recur")
    parser.add_argument("--start", type=Path, metavar="PACKAGE", help="begin with the weights of this package")
    parser.add_argument(
        "--foreign-apart", action="store_true", help="other languages have an output layer of their own"
    )
    parser.add_argument(
        "--whisper", type=Path, metavar="MODEL.BIN", help="train its encoder, for `training.transplant`"
    )
    parser.add_argument(
        "--intermediate", type=float, default=Plan.intermediate, metavar="SHARE", help="of the loss, the middle layer's"
    )
    parser.add_argument("--minutes", type=float, default=Plan.minutes)
    parser.add_argument("--steps", type=int, default=Plan.steps)
    parser.add_argument("--batch-seconds", type=float, default=Plan.batch_seconds)
    parser.add_argument("--peak", type=float, default=Plan.peak)
    parser.add_argument("--augmented", type=float, default=Plan.augmented[1], help="most clips to augment, 0 to 1")
    parser.add_argument("--warmup", type=int, default=Plan.warmup, help="steps (fewer for a short run)")
    parser.add_argument("--width", type=int, default=SHAPE.width)
    parser.add_argument("--layers", type=int, default=SHAPE.layers)
    parser.add_argument("--processes", type=int, default=None, help="default: one for each CPU, or one beside a GPU")
    return parser.parse_args()


def _model(options: argparse.Namespace, start: dict[str, torch.Tensor] | None) -> Any:
    """Of the start's shape and with its weights; without one, of the shape that was asked for and by chance."""
    tokenizer = options.work / "tokenizer"
    if start and options.whisper:
        return whisper_of(start, tokenizer)
    shape = shape_of(start) if start else replace(SHAPE, width=options.width, layers=options.layers)
    model = build(shape, tokenizer)
    if start:
        model.load_state_dict(start)
    return model


def train(team: Team, options: argparse.Namespace) -> None:
    """What every process does."""
    torch.manual_seed(Plan.seed)
    first, _, when = Plan.augmented
    plan = Plan(
        minutes=options.minutes,
        steps=options.steps,
        batch_seconds=options.batch_seconds,
        peak=options.peak,
        warmup=options.warmup,
        augmented=(first, options.augmented, when),
        intermediate=options.intermediate,
    )
    start = load_start(options.work)
    if start:
        plan = replace(plan, short_first=(0.0, plan.short_first[1]))  # it has found its feet
    model = _model(options, start)
    if options.foreign_apart:
        model.foreign = deepcopy(model.decoder)
    trainer = Trainer(model, plan, options.work, team)
    torch.manual_seed(Plan.seed + 1000 * team.rank + trainer.progress.steps)
    if team.rank == 0:
        size = sum(parameter.numel() for parameter in model.parameters()) / 1e6
        print(f"{size:.2f} M parameters on {trainer.device}, {team.size} processes, {trainer.progress}", flush=True)
    run(trainer, options.train, read_manifest(options.valid) if options.valid and team.rank == 0 else [])
    if team.rank == 0 and not options.whisper:
        model.foreign = None  # NeMo knows no such layer
        with atomic_path(options.work / "last.nemo") as temporary:
            model.save_to(str(temporary))


def _hindi(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Rows with a Hindi text, once all that training is given has proved fit for it; clips are decoded.

    Raise RecipeError where a test sentence is among the texts, a clip is missing, or a start comes too late.
    """
    rows = [row for group in options.train for row in read_manifest(group.manifest)]
    hindi = [row for row in rows if row["text"] and row.get("language", "hi") == "hi"]
    if not hindi:
        raise RecipeError("no clip has a Hindi text: the vocabulary is learnt from those")
    texts = {row["text"] for row in rows} - {""}
    for path in options.forbid:
        shared = sorted({row["text"] for row in read_manifest(path)} & texts)
        if shared:
            raise RecipeError(f"{len(shared)} sentences of {path} are in the training text: {shared[0]!r}")
    if options.whisper and options.intermediate:
        raise RecipeError("--intermediate is for Conformers: Whisper's encoder learns without it")
    if (options.start or options.whisper) and is_under_way(options.work) and load_start(options.work) is None:
        raise RecipeError(f"{options.work} holds a run that began by chance: give another --work, or no start")
    for group in options.train:
        Arena(group.manifest, options.work / "decoded")
    return hindi


def main() -> None:
    """Run the step from the command line."""
    options = arguments()
    hindi = _hindi(options)
    texts = [row["text"] for row in hindi]
    if options.start and options.whisper:
        package_tokenizer(options.start, texts, options.work / "tokenizer")
    elif options.start:
        begin_from(options.start, options.work, hindi)
    make_tokenizer(texts, options.work / "tokenizer")
    if options.whisper:
        begin_with_whisper(options.whisper, options.work, hindi)
    launch(train, options, options.processes)


if __name__ == "__main__":
    command(main)
