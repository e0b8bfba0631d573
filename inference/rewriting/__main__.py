"""`python -m inference.rewriting SOURCE TARGET`: rewrite a graph, or say why not and exit with 1."""

import sys
from pathlib import Path

from inference.rewriting.exported import UnknownGraph
from inference.rewriting.rewrite import rewrite

try:
    rewrite(Path(sys.argv[1]), Path(sys.argv[2]))
except UnknownGraph as reason:
    sys.exit(f"not rewritten: {reason}")
