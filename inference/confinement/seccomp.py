"""Filters of system calls for this process, all threads that it has, and all that it will have; for good."""

import ctypes
import errno
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from inference.confinement.calls import COMPUTING, REACHING, Numbers

_MACHINES = {"x86_64": (0, 0xC000003E, 317), "aarch64": (1, 0xC00000B7, 277)}
"""Column of the tables of calls, AUDIT_ARCH of linux/audit.h, number of `seccomp`."""
_MODE_FILTER, _ALL_THREADS = 1, 1  # linux/seccomp.h

_LOAD, _SKIP, _IF_EQUAL, _IF_NOT_LESS, _IF_ANY_BIT, _RETURN = 0x20, 0x05, 0x15, 0x35, 0x45, 0x06  # linux/bpf_common.h
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # places in struct seccomp_data
_KILL, _ERROR, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000  # linux/seccomp.h
_REFUSE = _ERROR | errno.EPERM
_X32 = 0x40000000  # the same calls of x86-64 once more, from this number on

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | 0o20000000  # __O_TMPFILE
_A_THREAD = 0x10000  # CLONE_THREAD
_SET_OWNER, _SET_OWNER_EXTENDED = 8, 15  # F_SETOWN, F_SETOWN_EX: whom a descriptor sends signals

_Step = tuple[int, int, int, int]
"""Code, how many steps are skipped where it holds, and where not, value."""


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("value", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


@dataclass(frozen=True, slots=True)
class _Refused:
    """A call that is refused by the lower half of one of its arguments."""

    numbers: Numbers
    argument: int
    test: int
    value: int
    unless: bool = False
    """Refused where the test fails, not where it holds."""

    def steps(self, column: int) -> Iterator[_Step]:
        """For one kind of machine."""
        number = self.numbers[column]
        if number is not None:
            yield _IF_EQUAL, 0, 4, number
            yield _LOAD, 0, 0, _ARGUMENTS + 8 * self.argument
            yield self.test, int(self.unless), int(not self.unless), self.value
            yield _RETURN, 0, 0, _REFUSE
            yield _LOAD, 0, 0, _NUMBER


def allow_computing_alone() -> bool:
    """Refuse every call but those of `COMPUTING`; False where this machine has no such filter."""

    def steps(column: int) -> Iterator[_Step]:
        yield from _any_of(COMPUTING, column, _ALLOW)
        yield _RETURN, 0, 0, _REFUSE

    return _install(steps)


def refuse_reaching_out() -> bool:
    """Refuse the calls of `REACHING`, and of others what they could do to files and processes; False as above.

    Files can be read, threads started, memory had and mapped, as loading a model needs.
    """
    itself = os.getpid()
    by_argument = (
        _Refused((2, None), 1, _IF_ANY_BIT, _WRITING),  # open
        _Refused((257, 56), 2, _IF_ANY_BIT, _WRITING),  # openat
        _Refused((56, 220), 0, _IF_ANY_BIT, _A_THREAD, unless=True),  # clone
        _Refused((72, 25), 1, _IF_EQUAL, _SET_OWNER),  # fcntl
        _Refused((72, 25), 1, _IF_EQUAL, _SET_OWNER_EXTENDED),
        _Refused((302, 261), 0, _IF_EQUAL, 0, unless=True),  # prlimit64, of others
        _Refused((62, 129), 0, _IF_EQUAL, itself, unless=True),  # kill
        _Refused((234, 131), 0, _IF_EQUAL, itself, unless=True),  # tgkill
    )

    def steps(column: int) -> Iterator[_Step]:
        yield _IF_NOT_LESS, 0, 1, _X32
        yield _RETURN, 0, 0, _REFUSE
        yield from _any_of(REACHING, column, _REFUSE)
        # What they are asked to do lies in memory, where no filter sees it; all have an older call to fall back on.
        yield from _any_of({"clone3": (435, 435), "openat2": (437, 437)}, column, _ERROR | errno.ENOSYS)
        for call in by_argument:
            yield from call.steps(column)
        yield _RETURN, 0, 0, _ALLOW

    return _install(steps)


def _any_of(calls: Mapping[str, Numbers], column: int, outcome: int) -> Iterator[_Step]:
    numbers = [number for call in calls.values() if (number := call[column]) is not None]
    for place, number in enumerate(numbers):
        yield _IF_EQUAL, len(numbers) - place, 0, number
    yield _SKIP, 0, 0, 1
    yield _RETURN, 0, 0, outcome


def _install(steps: Callable[[int], Iterator[_Step]]) -> bool:
    machine = _MACHINES.get(os.uname().machine)
    if sys.platform != "linux" or machine is None or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    column, architecture, seccomp = machine
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        *steps(column),
    ]
    instructions = (_Instruction * len(program))(*(_Instruction(*each) for each in program))
    filter_ = _Program(len(program), instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.syscall(seccomp, _MODE_FILTER, _ALL_THREADS, ctypes.byref(filter_)) == 0)
