"""Checkpoints: the last one whole (to go on from), weights of the last few (to average)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from training.files import atomic_path, require_space

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

    def after(self, audio: float) -> Progress:
        """One step later."""
        return replace(self, steps=self.steps + 1, audio=self.audio + audio)

    def at(self, seconds: float) -> Progress:
        """The same, at another time."""
        return replace(self, seconds=seconds)


def weights(folder: Path) -> list[Path]:
    """Weight files of a run, oldest first."""
    return sorted((folder / "weights").glob("*.pt"))


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


def load_latest(folder: Path, model: Any, optimiser: torch.optim.Optimizer) -> Progress | None:
    """Restore the last checkpoint, if there is one."""
    path = folder / "last.pt"
    if not path.exists():
        return None
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    return Progress(**state["progress"])


def save_start(folder: Path, state: dict[str, torch.Tensor]) -> None:
    """Write the weights that a run begins with."""
    with atomic_path(folder / "start.pt") as temporary:
        torch.save(state, temporary)


def load_start(folder: Path) -> dict[str, torch.Tensor] | None:
    """Weights to begin with, if there are any."""
    path = folder / "start.pt"
    return torch.load(path, map_location="cpu", weights_only=True) if path.exists() else None
