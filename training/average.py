"""Average the last sets of weights of a run into one model: smoother, and better than any of them.

Usage: python -m training.average training/build/run --last 6 --out training/build/hi-demo.nemo
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from training.checkpoint import weights
from training.files import RecipeError, atomic_path, command
from training.model import build, shape_of


def average(paths: list[Path]) -> dict[str, torch.Tensor]:
    """Mean of several state dictionaries; counters such as batch norm's come from the last."""
    if not paths:
        raise RecipeError("no weights to average: train first (python -m training.train)")
    states = [torch.load(path, map_location="cpu", weights_only=True) for path in paths]
    mean = dict(states[-1])
    for name, value in states[-1].items():
        if value.is_floating_point():
            mean[name] = torch.stack([state[name].double() for state in states]).mean(0).to(value.dtype)
    return mean


def main() -> None:
    """Run the step from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder given to training.train as --work")
    parser.add_argument("--last", type=int, default=6, help="how many sets of weights, counted from the end")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.nemo")
    options = parser.parse_args()
    chosen = weights(options.run)[-options.last :]
    state = average(chosen)
    model = build(shape_of(state), options.run / "tokenizer")
    model.load_state_dict(state)
    with atomic_path(options.out) as temporary:
        model.save_to(str(temporary))
    print(f"{options.out}: mean of {', '.join(path.stem for path in chosen)}")


if __name__ == "__main__":
    command(main)
