"""Which of the commands is meant, and how both end."""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import TextIO, cast

from inference.cli import preparing, probing, transcribing


def main(arguments: Sequence[str] | None = None) -> int:
    """Do it; return 0, 1 where a file failed, 2 where the model or the command did, 128 and the number of a signal."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):  # names of files may be in no encoding at all
        cast("TextIO", stream).reconfigure(errors="backslashreplace")  # type: ignore[attr-defined]
    signal.signal(signal.SIGTERM, _stop)  # as Ctrl-C: nothing half written is left behind
    try:
        if arguments[:1] == ["probe"]:
            return probing.run(arguments[1:])
        if arguments[:1] == ["prepare"]:
            return preparing.run(arguments[1:])
        return transcribing.run(arguments)
    except KeyboardInterrupt as interrupt:
        return 128 + (interrupt.args[0] if interrupt.args else signal.SIGINT)
    except BrokenPipeError:  # whoever read our lines has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


def _stop(number: int, _: FrameType | None) -> None:
    raise KeyboardInterrupt(number)
