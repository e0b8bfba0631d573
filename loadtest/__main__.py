"""`python -m loadtest run|chaos|tune|capacity|soak|mixup|recording|replicas|workers|traces|figures|simulate`.

Everything here starts a server of its own on the loopback and ends it, but most of `simulate`. Texts are compared with
what the library says to the same bytes. Ends with 0, 1 where the server failed, 2 where nothing could be measured.
"""

import argparse
import signal
import sys
from collections.abc import Sequence

from inference.errors import InferenceError
from loadtest import capacity, figures, mixup, recording, replicas, run, simulate, soak, traces, tune, workers
from loadtest.harness.children import Failed
from loadtest.harness.outcomes import WrongText
from loadtest.harness.server import ServerFailed
from loadtest.harness.subject import add_subject
from loadtest.simulation.machine import UnknownMachine

_COMMANDS = {
    "run": run,
    "tune": tune,
    "capacity": capacity,
    "soak": soak,
    "mixup": mixup,
    "recording": recording,
    "replicas": replicas,
    "workers": workers,
    "traces": traces,
    "figures": figures,
    "simulate": simulate,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m loadtest", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, module in _COMMANDS.items():
        words = module.__doc__ or ""
        command = commands.add_parser(name, help=words.splitlines()[0], description=words)
        add_subject(command)
        module.add_arguments(command)
        command.set_defaults(function=module.main)
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = parser.parse_args(["run", *given] if given[:1] == ["chaos"] else given)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers end with us
    try:
        return int(options.function(options))
    except (InferenceError, ServerFailed, Failed, UnknownMachine, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    except WrongText as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
