"""`python -m inference prepare PACKAGE...`: what an image brings along, whatever processor it will meet."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from inference.errors import PackageError
from inference.loading import CACHE, prepare_for_any_processor
from inference.package import load_package


def run(arguments: Sequence[str]) -> int:
    """Prepare the packages; return 0, or 2 where one cannot be prepared."""
    parser = argparse.ArgumentParser(
        prog="python -m inference prepare",
        description="Make graphs that serve on every processor of this architecture where the cache is read-only.",
    )
    parser.add_argument("packages", nargs="+", type=Path, metavar="PACKAGE", help="directory of a package")
    parser.add_argument("--cache", type=Path, default=CACHE, help="directory to fill; %(default)s")
    options = parser.parse_args(arguments)
    try:
        for directory in options.packages:
            prepare_for_any_processor(load_package(directory), options.cache)
    except (OSError, PackageError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0
