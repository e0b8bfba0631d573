"""Average the last sets of weights of a run into one model: smoother, and better than any of them.

Usage: python -m training.average training/build/run --last 6 --out training/build/hi-demo.nemo
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from training.files import RecipeError, atomic_path, command
from training.network.checkpoint import load_start, weights
from training.network.model import build, shape_of


def average(paths: list[Path]) -> dict[str, torch.Tensor]:
    """Mean of several state dictionaries; counters such as batch norm's come from the last."""
    if not paths:
        raise RecipeError("no weights to average: train first (python -m training.train)")
    states = [torch.load(path, map_location="cpu", weights_only=True) for path in paths]
    # What other languages were written with served the training alone.
    states = [{name: each for name, each in state.items() if not name.startswith("foreign.")} for state in states]
    mean = dict(states[-1])
    for name, value in states[-1].items():
        if value.is_floating_point():
            mean[name] = torch.stack([state[name].double() for state in states]).mean(0).to(value.dtype)
    return mean


def blend(state: dict[str, torch.Tensor], start: dict[str, torch.Tensor], share: float) -> dict[str, torch.Tensor]:
    """`state` moved back towards the weights that its run began with: `share` of them, the rest of itself.

    A short run from good weights forgets some of what they knew (Wortsman et al., 2022, arXiv:2109.01903).
    """
    mixed = dict(state)
    for name, value in state.items():
        if value.is_floating_point():
            mixed[name] = torch.lerp(value.double(), start[name].double(), share).to(value.dtype)
    return mixed


def main() -> None:
    """Run the step from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder given to training.train as --work")
    parser.add_argument("--last", type=int, default=6, help="how many sets of weights, counted from the end")
    parser.add_argument("--start-share", type=float, default=0.0, help="share of the weights that the run began with")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.nemo")
    options = parser.parse_args()
    chosen = weights(options.run)[-options.last :]
    state = average(chosen)
    if options.start_share:
        start = load_start(options.run)
        if start is None:
            raise RecipeError(f"{options.run} did not begin from a package: there is nothing to blend with")
        state = blend(state, start, options.start_share)
    model = build(shape_of(state), options.run / "tokenizer")
    model.load_state_dict(state)
    with atomic_path(options.out) as temporary:
        model.save_to(str(temporary))
    print(f"{options.out}: mean of {', '.join(path.stem for path in chosen)}")


if __name__ == "__main__":
    command(main)
