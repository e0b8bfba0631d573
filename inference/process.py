"""What a lane owes the machine: to end with its parent, whatever ended that one, and to give memory back."""

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1


def die_with(parent: int, *, watching: bool = True) -> None:
    """Have the kernel kill this process with its parent (Linux); a thread watches too, where it may."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel knew
        os._exit(1)
    if watching or sys.platform != "linux":
        threading.Thread(target=_watch, args=(parent,), name="parent-watch", daemon=True).start()


def give_memory_back() -> None:
    """Return to the system what malloc keeps for later (glibc); elsewhere nothing happens."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
