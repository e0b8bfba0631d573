"""What a process really costs in memory, as Linux tells it."""

from dataclasses import dataclass
from pathlib import Path

_FIELDS = {"Pss:": "pss", "Pss_Anon:": "anonymous", "Rss:": "resident"}


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """From `/proc/PID/smaps_rollup`, in MiB."""

    pss: float
    """Proportional set size: pages shared by n processes count 1/n each, so that processes add up."""
    anonymous: float
    """The part that belongs to no file: heaps and stacks. What a further process costs anew."""
    resident: float


def process_memory(pid: int) -> ProcessMemory:
    """Read it; raise OSError where the process is gone or the system is not Linux."""
    found = {"pss": 0.0, "anonymous": 0.0, "resident": 0.0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]:
        name, value, *_ = line.split()
        if name in _FIELDS:
            found[_FIELDS[name]] = int(value) / 1024
    return ProcessMemory(**found)
