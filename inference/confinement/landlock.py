"""Landlock: files, TCP ports, signals to others; for the thread that asks, and those that it starts."""

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF, _GET_VERSION = 444, 445, 446, 1  # linux/landlock.h; alike on all machines
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # by the version of Landlock: so many kinds of access; 16 from 5 on
_READ_FILE, _READ_DIRECTORY = 1 << 2, 1 << 3
_PATH_BENEATH = 1
_TCP_RIGHTS, _SCOPES = 0b11, 0b11  # bind and connect, since 4; abstract Unix sockets and signals, since 6


class _Beneath(ctypes.Structure):
    _fields_ = (("rights", ctypes.c_uint64), ("descriptor", ctypes.c_int32))


def allow_reading_alone(paths: Iterable[Path]) -> bool:
    """Open nothing from here on but to read these files and what lies in these directories, and call nobody.

    False where this machine has no Landlock.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _GET_VERSION)
    if version < 1:
        return False
    files = (1 << _FILE_RIGHTS.get(version, 16)) - 1
    handled = [files, *([_TCP_RIGHTS] if version >= 4 else []), *([_SCOPES] if version >= 6 else [])]
    rules = (ctypes.c_uint64 * len(handled))(*handled)
    ruleset = libc.syscall(_CREATE_RULESET, rules, ctypes.c_size_t(ctypes.sizeof(rules)), 0)
    if ruleset < 0:
        return False
    for path in paths:
        _allow(libc, ruleset, path)
    restricted = bool(libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    os.close(ruleset)
    return restricted


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_PATH)
    except OSError:
        return  # what is not there, nobody needs
    rights = _READ_FILE | (_READ_DIRECTORY if path.is_dir() else 0)
    libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(_Beneath(rights, descriptor)), 0)
    os.close(descriptor)
