"""`python -m inference.prepared.rewriting SOURCE TARGET [PLAN [CALIBRATION]]`: rewrite a graph, or say why not.

It exits with 1 where it could not.

PLAN is an Int8Plan as JSON, CALIBRATION the file of a package that it needs.
"""

import json
import sys
from pathlib import Path

from inference.prepared.rewriting.exported import UnknownGraph
from inference.prepared.rewriting.rewrite import rewrite
from inference.types import Int8Plan

plan = Int8Plan(**json.loads(sys.argv[3])) if len(sys.argv) > 3 else None
calibration = Path(sys.argv[4]) if len(sys.argv) > 4 else None
try:
    rewrite(Path(sys.argv[1]), Path(sys.argv[2]), plan, calibration)
except UnknownGraph as reason:
    sys.exit(f"not rewritten: {reason}")
