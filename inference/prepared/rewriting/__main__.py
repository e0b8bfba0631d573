"""`python -m inference.prepared.rewriting PARENT SOURCE TARGET [PLAN [CALIBRATION]]`: rewrite a graph, or say why not.

It exits with 1 where it could not, and ends with the process PARENT.

PLAN is an Int8Plan as JSON, CALIBRATION the file of a package that it needs.
"""

import json
import sys
from pathlib import Path

from inference.prepared.rewriting.exported import UnknownGraph
from inference.prepared.rewriting.rewrite import rewrite
from inference.process import die_with
from inference.types import Int8Plan

parent, source, target, *rest = sys.argv[1:]
die_with(int(parent))
plan = Int8Plan(**json.loads(rest[0])) if rest else None
calibration = Path(rest[1]) if len(rest) > 1 else None
try:
    rewrite(Path(source), Path(target), plan, calibration)
except UnknownGraph as reason:
    sys.exit(str(reason))
