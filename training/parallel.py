"""One function on many tasks, in as many processes as there are processors, with a progress bar."""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections.abc import Callable
from typing import Any

from tqdm import tqdm


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """The option that says how many processes."""
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="processes (default: one a CPU)")


def spread(function: Callable[[Any], Any], tasks: list[Any], jobs: int, title: str) -> list[Any]:
    """Results of `function` for each of `tasks`, in their order; an error in one of them ends all."""
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        made = pool.imap(function, tasks, chunksize=4)
        return list(tqdm(made, total=len(tasks), unit="clip", desc=title))
