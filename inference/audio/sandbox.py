"""What a process that decodes strangers' files may still do once its own files are open: read and write those, compute.

Linux keeps it in with seccomp (a list of the system calls that it may make) and Landlock (no file, no TCP port, no
signal to others), both without rights and for good; system calls by hand, since no package for either is kept up: of
those on PyPI pyseccomp is of 2021 and wants a system library, py-landlock has had two releases in one week.
"""

import ctypes
import os
import resource
import sys
from mmap import PAGESIZE
from pathlib import Path

# By name: its number on x86-64 and on Arm (64 bits), None where there is none. Enough for Python, NumPy and decoders:
# memory, the files that are open, the clock; no file, no socket, no process, no signal, nothing about other processes.
_CALLS: dict[str, tuple[int, int | None]] = {
    "brk": (12, 214),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "close": (3, 57),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "fstat": (5, 80),
    "futex": (202, 98),
    "getcpu": (309, 168),
    "getpid": (39, 172),
    "getppid": (110, 173),
    "getrandom": (318, 278),
    "getrusage": (98, 165),
    "gettid": (186, 178),
    "gettimeofday": (96, 169),
    "lseek": (8, 62),
    "madvise": (28, 233),
    "membarrier": (324, 283),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "munmap": (11, 215),
    "nanosleep": (35, 101),
    "newfstatat": (262, 79),
    "poll": (7, None),
    "ppoll": (271, 73),
    "pread64": (17, 67),
    "read": (0, 63),
    "readv": (19, 65),
    "restart_syscall": (219, 128),
    "rseq": (334, 293),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sched_getaffinity": (204, 123),
    "sched_yield": (24, 124),
    "set_robust_list": (273, 99),
    "setitimer": (38, 103),
    "sigaltstack": (131, 132),
    "sysinfo": (99, 179),
    "write": (1, 64),
    "writev": (20, 66),
}
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Column of the table above, and AUDIT_ARCH of linux/audit.h."""

_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _MODE_FILTER = 22, 38, 2
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # linux/bpf_common.h, linux/filter.h
_NUMBER, _ARCHITECTURE = 0, 4  # places in struct seccomp_data
_KILL, _REFUSE, _ALLOW = 0x80000000, 0x00050000 | 1, 0x7FFF0000  # linux/seccomp.h; 1 is EPERM

_CREATE_RULESET, _RESTRICT_SELF, _GET_VERSION = 444, 446, 1  # linux/landlock.h; alike on all machines
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # by the version of Landlock: so many kinds of access; 16 from 5 on
_TCP_RIGHTS, _SCOPES = 0b11, 0b11  # bind and connect, since 4; abstract Unix sockets and signals, since 6


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("value", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


def confine(memory: int, processor_seconds: int) -> tuple[str, ...]:
    """Give up for good what decoding does not need; return what this machine could not take away.

    From here on so many bytes of memory more can be had, and so much processor time at most. For a process of one
    thread that has imported all that it will need.
    """
    used = _address_space()
    if used:
        _limit(resource.RLIMIT_AS, used + memory)
    _limit(resource.RLIMIT_CPU, processor_seconds)
    libc = ctypes.CDLL(None, use_errno=True)
    linux = sys.platform == "linux"
    if linux:
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    missing = [] if used else ["a limit on memory"]
    missing += [] if linux and _landlock(libc) else ["Landlock"]
    for nothing in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_NPROC):
        _limit(nothing, 0)
    missing += [] if linux and _seccomp(libc) else ["seccomp"]
    return tuple(missing)


def unguarded() -> tuple[str, ...]:
    """Find out in a process of its own what `confine` could not take away here; some tens of milliseconds."""
    import subprocess  # what is confined starts no process

    program = f"from inference.audio.sandbox import confine; print(*confine({1 << 28}, 10), sep='\\n')"
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-P", "-c", program]
    try:
        found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 # ours
    except (OSError, subprocess.SubprocessError) as error:
        return (f"guards that could be found ({error})",)
    return tuple(filter(None, found.stdout.splitlines()))


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


def _landlock(libc: ctypes.CDLL) -> bool:
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _GET_VERSION)
    if version < 1:
        return False
    files = (1 << _FILE_RIGHTS.get(version, 16)) - 1
    handled = [files, *([_TCP_RIGHTS] if version >= 4 else []), *([_SCOPES] if version >= 6 else [])]
    rules = (ctypes.c_uint64 * len(handled))(*handled)
    descriptor = libc.syscall(_CREATE_RULESET, rules, ctypes.c_size_t(ctypes.sizeof(rules)), 0)
    if descriptor < 0:
        return False
    restricted = bool(libc.syscall(_RESTRICT_SELF, descriptor, 0) == 0)
    os.close(descriptor)
    return restricted


def _seccomp(libc: ctypes.CDLL) -> bool:
    machine = _MACHINES.get(os.uname().machine)
    if machine is None or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    column, architecture = machine
    numbers = [number for call in _CALLS.values() if (number := call[column]) is not None]
    checks = [(_JUMP_IF_EQUAL, len(numbers) - place, 0, number) for place, number in enumerate(numbers)]
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_IF_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        *checks,
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    ]
    instructions = (_Instruction * len(program))(*(_Instruction(*each) for each in program))
    filter_ = _Program(len(program), instructions)
    return bool(libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(filter_), 0, 0) == 0)
