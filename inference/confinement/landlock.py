"""Landlock: no file, no TCP port, no signal to others; for the thread that asks, and those that it starts."""

import ctypes
import os
import sys

_CREATE_RULESET, _RESTRICT_SELF, _GET_VERSION = 444, 446, 1  # linux/landlock.h; alike on all machines
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # by the version of Landlock: so many kinds of access; 16 from 5 on
_TCP_RIGHTS, _SCOPES = 0b11, 0b11  # bind and connect, since 4; abstract Unix sockets and signals, since 6


def allow_no_files() -> bool:
    """Open nothing from here on, call nobody; False where this machine has no Landlock."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
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
