"""How many processors this process may really use, how to divide them, and what they can do in eight bits."""

import math
import os
from dataclasses import dataclass
from pathlib import Path

from inference.types import WeightBits

_CGROUP = Path("/sys/fs/cgroup")
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


def usable_cpus(cgroup: Path = _CGROUP) -> int:
    """Count processors by affinity and cgroup quota, which `os.cpu_count` ignores; at least 1."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.floor(min(affinity, _quota(cgroup))))


def plan(cpus: int, lanes_per_worker: int = 8) -> Plan:
    """Divide processors: one thread a lane, since clips side by side beat threads inside a clip for throughput.

    A worker's event loop feeds eight lanes with ease, so small machines run one worker with one queue,
    the fairest arrangement there is.
    """
    workers = math.ceil(cpus / lanes_per_worker)
    return Plan(workers=workers, lanes=cpus // workers, threads=1)


def _quota(cgroup: Path) -> float:
    """Processors that the cgroup (version 2, else 1) grants; infinite where it sets no limit."""
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (cgroup / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return math.inf
    if quota in {"max", "-1"}:
        return math.inf
    return int(quota) / int(period)


def int8_weight_bits(cpuinfo: Path = _CPUINFO) -> WeightBits | None:
    """How many bits weights may have, so that sums of 8-bit products are exact; None where int8 would gain nothing.

    8 with instructions that sum in 32 bits: VNNI, or Arm's dot products. AVX2 alone sums two products of unsigned
    activations and signed weights in 16 bits, and cuts off what is beyond; with weights of 7 bits nothing is. None too
    where the system does not tell.
    """
    try:
        words = set(cpuinfo.read_text(encoding="utf-8").split())
    except OSError:
        return None
    if words & {"avx512_vnni", "avx_vnni", "asimddp"}:
        return 8
    return 7 if "avx2" in words else None
