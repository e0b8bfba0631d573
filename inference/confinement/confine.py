"""A decoder keeps the files that it has open; a lane goes on to read models. Neither can do more than compute.

What a machine cannot take away is told, and costs no more than that.
"""

import ctypes
import resource
import sys
from collections.abc import Iterable
from mmap import PAGESIZE
from pathlib import Path

from inference.confinement import landlock, seccomp

_NO_NEW_PRIVILEGES = 38  # PR_SET_NO_NEW_PRIVS of linux/prctl.h
_LANE_DESCRIPTORS = 64  # the pipes of its parent and a model's files are some ten
_SYSTEM = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share/locale", "/etc/ld.so.cache",
    "/dev/null", "/dev/urandom", "/proc/cpuinfo", "/proc/self", "/sys/devices/system/cpu",
)  # fmt: skip


def confine_decoder(memory: int, processor_seconds: int) -> tuple[str, ...]:
    """Give up for good what decoding does not need; return what this machine could not take away.

    From here on so many bytes of memory more can be had, and so much processor time at most. For a process of one
    thread that has imported all that it will need.
    """
    used = _address_space()
    if used:
        _limit(resource.RLIMIT_AS, used + memory)
    _limit(resource.RLIMIT_CPU, processor_seconds)
    _give_up_privileges()
    missing = [] if used else ["a limit on memory"]
    missing += [] if landlock.allow_reading_alone(()) else ["Landlock"]
    for nothing in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_NPROC):
        _limit(nothing, 0)
    missing += [] if seccomp.allow_computing_alone() else ["seccomp"]
    return tuple(missing)


def confine_lane(readable: Iterable[Path]) -> tuple[str, ...]:
    """Give up for good what neither a clip nor a further model needs; return what this machine could not take away.

    Of files it can read these, those in these directories, Python's and the system's libraries. Landlock spares threads
    that run already. How much memory is taken, and for how long, is the parent's affair.
    """
    alone = len(tuple(Path("/proc/self/task").glob("*"))) == 1
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, _LANE_DESCRIPTORS)
    _give_up_privileges()
    missing = [] if landlock.allow_reading_alone((*_libraries(), *readable)) and alone else ["Landlock"]
    if not seccomp.refuse_reaching_out():
        _limit(resource.RLIMIT_FSIZE, 0)  # otherwise not: last words may go to a log that is a file
        missing.append("seccomp")
    return tuple(missing)


def unguarded() -> tuple[str, ...]:
    """Find out in a process of its own what a decoder could not be kept from here."""
    import subprocess  # what is confined starts no process

    program = f"from inference.confinement.confine import *; print(*confine_decoder({1 << 28}, 10), sep='\\n')"
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-P", "-c", program]
    try:
        found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 # ours
    except (OSError, subprocess.SubprocessError) as error:
        return (f"guards that could be found ({error})",)
    return tuple(filter(None, found.stdout.splitlines()))


def _libraries() -> Iterable[Path]:
    """Where modules and libraries lie that may be loaded late; not a directory that ours may share with secrets."""
    yield from map(Path, _SYSTEM)
    yield from (Path(prefix, "lib") for prefix in (sys.prefix, sys.base_prefix))
    ours = Path(__file__).parents[1]
    yield ours
    others = (Path(path).resolve() for path in sys.path)
    yield from (path for path in others if path != Path.cwd() and not ours.is_relative_to(path))


def _give_up_privileges() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def _address_space() -> int:
    """Bytes; 0 where that cannot be told."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * PAGESIZE
    except OSError:
        return 0
