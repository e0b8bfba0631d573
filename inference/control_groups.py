"""What its control groups grant this process: a group is bound by all groups above it, so the least limit counts.

Version 1 has a tree for each controller, version 2 one for all; a system may have both. A container sees its own group
as the root of the tree, or sees the machine's names with only its own part of the tree mounted: `/proc/self/mountinfo`
says which part that is (man 7 cgroups, man 5 proc_pid_mountinfo).
"""

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True, slots=True)
class Limit:
    """How much may be used, and who says so."""

    amount: float
    """Infinite where nobody sets a limit."""
    group: str = ""
    """The control group that sets it, as mounted here; empty where it is none."""


def processor_limit(root: Path = Path("/")) -> Limit:
    """Return the least quota of processors."""
    return _least("cpu", _processors, root)


def memory_limit(root: Path = Path("/")) -> Limit:
    """Return the least limit of memory, in bytes."""
    return _least("memory", _memory, root)


def _least(controller: str, read: Callable[[Path], float], root: Path) -> Limit:
    limits = [Limit(math.inf)]
    for group, directory in _groups(controller, root):
        with suppress(OSError, ValueError, ZeroDivisionError):  # the root group has no such files
            limits.append(Limit(read(directory), group))
    return min(limits, key=lambda limit: limit.amount)


def _processors(group: Path) -> float:
    """Version 2 has one file of two fields, version 1 two files."""
    if (group / "cpu.max").exists():
        quota, period = (group / "cpu.max").read_text().split()
    else:
        quota, period = ((group / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
    return math.inf if quota in {"max", "-1"} else int(quota) / int(period)


def _memory(group: Path) -> float:
    version_2 = group / "memory.max"
    limit = (version_2 if version_2.exists() else group / "memory.limit_in_bytes").read_text().strip()
    return math.inf if limit == "max" else int(limit)


def _groups(controller: str, root: Path) -> Iterator[tuple[str, Path]]:
    """Name and directory of the own group and of those above it, as far as they are mounted."""
    try:
        paths = (root / "proc/self/cgroup").read_text().splitlines()
        mounts = (root / "proc/self/mountinfo").read_text().splitlines()
    except OSError:  # not Linux
        return
    own = {name: path for _, names, path in (line.split(":", 2) for line in paths) for name in names.split(",")}
    for mount in mounts:
        where, _, what = mount.partition(" - ")
        mounted, point = (PurePosixPath(field) for field in where.split()[3:5])
        kind, _, options = what.split(maxsplit=2)
        # Version 2 is listed without the names of controllers.
        path = own.get({"cgroup": controller, "cgroup2": ""}.get(kind, "none"))
        if path is None or (kind == "cgroup" and controller not in options.split(",")):
            continue
        group = PurePosixPath(path)
        below = group.relative_to(mounted) if group.is_relative_to(mounted) else PurePosixPath()
        if ".." in below.parts:  # outside of this namespace
            below = PurePosixPath()
        for each in (below, *below.parents):
            yield str("/" / each), root / point.relative_to("/") / each
