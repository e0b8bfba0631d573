"""Checkpoints: the last one whole (to go on from), weights of the last few (to average)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from training.files import RecipeError, atomic_path, require_space

KEPT = 12
"""Sets of weights kept for averaging."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands."""

    steps: int = 0
    seconds: float = 0.0
    """Seconds trained, those in which the processes were suspended not counted."""
    audio: float = 0.0
    """Seconds of audio seen."""


def weights(folder: Path) -> list[Path]:
    """Weight files of a run, oldest first."""
    return sorted((folder / "weights").glob("[0-9]*.pt"))  # what was cut off while it was written begins with a dot


def save(folder: Path, model: Any, optimiser: torch.optim.Optimizer, progress: Progress) -> None:
    """Write the state to go on from and one more set of weights; drop the oldest beyond `KEPT`."""
    folder.mkdir(parents=True, exist_ok=True)
    require_space(folder)
    with atomic_path(folder / "weights" / f"{progress.steps:08d}.pt") as temporary:
        torch.save(model.state_dict(), temporary)
    with atomic_path(folder / "last.pt") as temporary:
        state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "progress": vars(progress)}
        torch.save(state, temporary)
    for path in weights(folder)[:-KEPT]:
        path.unlink()


def is_under_way(folder: Path) -> bool:
    """Whether a run in `folder` has a checkpoint to go on from."""
    return (folder / "last.pt").exists()


def load_latest(folder: Path, model: Any, optimiser: torch.optim.Optimizer) -> Progress | None:
    """Restore the last checkpoint, if there is one.

    Raise RecipeError where it is of a model with other parameters.
    """
    if not is_under_way(folder):
        return None
    path = folder / "last.pt"
    state = torch.load(path, map_location="cpu", weights_only=True)
    try:
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
    except (RuntimeError, ValueError) as error:
        raise RecipeError(
            f"{path} is of a model with other parameters: give the settings it began with (--foreign-apart, --width, "
            "--layers, --whisper), or another --work"
        ) from error
    return Progress(**state["progress"])


def save_start(folder: Path, state: dict[str, torch.Tensor]) -> None:
    """Write the weights that a run begins with."""
    with atomic_path(folder / "start.pt") as temporary:
        torch.save(state, temporary)


def load_start(folder: Path) -> dict[str, torch.Tensor] | None:
    """Weights to begin with, if there are any."""
    path = folder / "start.pt"
    return torch.load(path, map_location="cpu", weights_only=True) if path.exists() else None
