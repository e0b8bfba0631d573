"""What a process of ours owes the machine: to end when its parent wants it to, or ends, and to give memory back."""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15


@contextlib.contextmanager
def signals_blocked(*numbers: signal.Signals) -> Iterator[None]:
    """A process that is started within never gets these signals, not even before it runs a line of ours.

    Ctrl-C in a terminal reaches the whole group, and so does SIGTERM by a service manager; the parent decides when its
    children stop. Before a first process of multiprocessing's, call `ensure_running` of its resource tracker, which
    else is started within and unblocks what we had blocked.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def die_with(parent: int, *, watching: bool = True) -> None:
    """Have the kernel kill this process with its parent (Linux); a thread watches too, where it may."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel knew
        os._exit(1)
    if watching or sys.platform != "linux":
        threading.Thread(target=_watch, args=(parent,), name="parent-watch", daemon=True).start()


def name_process(name: str) -> None:
    """Have `ps` and `top` call this process so (Linux); 15 bytes of it at most."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NAME, name.encode())


def give_memory_back() -> None:
    """Return to the system what malloc keeps for later (glibc); elsewhere nothing happens."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
