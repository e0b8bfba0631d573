"""How many processors and how much memory this process may really use, how to divide them, and who has int8."""

import math
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from inference.control_groups import Limit, memory_limit, processor_limit
from inference.types import WeightBits

_ROOT = Path("/")
_CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class Plan:
    """Gunicorn workers × lanes × threads."""

    workers: int
    """Gunicorn workers: one event loop each."""
    lanes: int
    """Pool processes of one worker."""
    threads: int
    """Intra-op threads of one lane."""
    spinning: bool = False
    """Whether idle threads of a lane spin."""


def usable_cpus(root: Path = _ROOT) -> int:
    """Count processors by affinity and control groups' quota, which `os.cpu_count` ignores; at least 1."""
    return max(1, math.floor(usable_processors(root).amount))


def usable_processors(root: Path = _ROOT) -> Limit:
    """Return how many processors may be used, a fraction where a quota is one, and which control group says so."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(Limit(affinity), processor_limit(root), key=lambda limit: limit.amount)


def usable_memory(root: Path = _ROOT) -> Limit:
    """Return how many bytes of memory may be used: the machine's, or as many as a control group allows."""
    installed = Limit(math.inf)
    with suppress(OSError, ValueError):
        total = next(line for line in (root / "proc/meminfo").read_text().splitlines() if line.startswith("MemTotal:"))
        installed = Limit(int(total.split()[1]) * 1024)
    return min(installed, memory_limit(root), key=lambda limit: limit.amount)


def plan(cpus: int, lanes_per_worker: int = 8) -> Plan:
    """Divide processors: one thread a lane, since clips side by side beat threads inside a clip for throughput.

    A worker's event loop feeds eight lanes with ease, so small machines run one worker with one queue,
    the fairest arrangement there is.
    """
    workers = math.ceil(cpus / lanes_per_worker)
    return Plan(workers=workers, lanes=cpus // workers, threads=1)


def int8_weight_bits(cpuinfo: Path = _CPUINFO) -> WeightBits | None:
    """How many bits weights may have, so that sums of 8-bit products are exact; None where int8 would gain nothing.

    8 with instructions that sum in 32 bits: VNNI, or Arm's dot products. AVX2 alone sums two products of unsigned
    activations and signed weights in 16 bits, and cuts off what is beyond; with weights of 7 bits nothing is. None too
    where the system does not say.
    """
    try:
        words = set(cpuinfo.read_text(encoding="utf-8").split())
    except OSError:
        return None
    if words & {"avx512_vnni", "avx_vnni", "asimddp"}:
        return 8
    return 7 if "avx2" in words else None
