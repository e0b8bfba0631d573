"""Memory of a process, as the kernel counts it."""

import resource
from typing import NamedTuple

_PAGE = resource.getpagesize()


class Memory(NamedTuple):
    """In bytes."""

    resident: int
    """All that is in memory: what lanes map together counts in each of them."""
    own: int
    """What no file holds and nobody shares: that of several processes can be added up."""


def memory_of(pid: int | None) -> Memory:
    """Look at a process; nothing where it is gone, or the system does not say."""
    try:
        with open(f"/proc/{pid}/statm", "rb", buffering=0) as statm:  # noqa: PTH123 - asked for every clip
            _, resident, shared, *_ = statm.read().split()
    except (OSError, ValueError):
        return Memory(0, 0)
    return Memory(int(resident) * _PAGE, (int(resident) - int(shared)) * _PAGE)
