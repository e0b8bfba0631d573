"""Several processes that train one model together, one thread each.

On a CPU shared with others, two threads inside one operation wait for each other thousands of times a step, and a
neighbour's load on one core slows both; processes wait once a step. Measured on two Zen 5 cores with one of them busy:
5 s a step with threads, under 1 s with processes.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed
import torch.multiprocessing

from inference.process import die_with
from training.files import RecipeError, write_text

_MALLOC = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**33),
    "MALLOC_TOP_PAD_": str(2**28),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
"""glibc otherwise returns every large tensor to the kernel: half the time went into page faults."""


@dataclass(frozen=True)
class _Leader:
    """The process that started the others."""

    pid: int
    size: int
    folder: Path
    """Where the others meet, and leave word of what stops them."""


@dataclass(frozen=True)
class Team:
    """One process's place among its fellows."""

    rank: int
    size: int

    def average(self, model: Any, numbers: tuple[float, ...]) -> tuple[float, ...]:
        """Replace gradients by their mean over the team; return the mean of `numbers` too, the same everywhere."""
        if self.size == 1:
            return numbers
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients] + [torch.tensor(numbers)])
        torch.distributed.all_reduce(flat)
        flat /= self.size
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
            start += gradient.numel()
        return tuple(flat[start:].tolist())


def _member(rank: int, leader: _Leader, work: Callable[[Team, Any], None], options: Any) -> None:
    die_with(leader.pid)  # PyTorch's own SIGINT is ignored by whatever a shell started in the background
    if leader.size > 1:
        torch.set_num_threads(1)
        torch.distributed.init_process_group(
            "gloo", init_method=f"file://{leader.folder}/meeting", rank=rank, world_size=leader.size
        )
    try:
        work(Team(rank, leader.size), options)
    except RecipeError as error:  # of which PyTorch would hand on a traceback
        write_text(leader.folder / f"error-{rank}", str(error))
        raise
    if leader.size > 1:
        torch.distributed.destroy_process_group()


def launch(work: Callable[[Team, Any], None], options: Any, size: int | None = None) -> None:
    """Call ``work(team, options)`` in `size` fresh processes; by default one a CPU, or one in all beside a GPU.

    Raise the RecipeError that one of them raises, and one where several would share a GPU.
    """
    accelerated = torch.cuda.is_available()
    size = size or (1 if accelerated else len(os.sched_getaffinity(0)))
    if accelerated and size > 1:
        raise RecipeError(f"{size} processes beside a GPU: one alone can use it (--processes 1, or leave it out)")
    for name, value in _MALLOC.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("OMP_NUM_THREADS", "1" if size > 1 else str(len(os.sched_getaffinity(0))))
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    with tempfile.TemporaryDirectory() as folder:
        leader = _Leader(os.getpid(), size, Path(folder))
        members = {"args": (leader, work, options), "nprocs": size, "start_method": "spawn"}
        try:
            torch.multiprocessing.start_processes(_member, **members)
        except (torch.multiprocessing.ProcessRaisedException, torch.multiprocessing.ProcessExitedException):
            told = sorted(Path(folder).glob("error-*"))
            if not told:
                raise
            raise RecipeError(told[0].read_text(encoding="utf-8")) from None
