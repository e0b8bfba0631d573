"""docs/metrics.md lists every metric with its type and labels, and no other."""

import re
import subprocess
import sys
from pathlib import Path

from server import metrics

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(asr_\w+)` \| (\w+) \|([^|]*)\|", re.MULTILINE)


def test_the_page_and_the_collectors_agree():
    collectors = [value for name, value in vars(metrics).items() if name.isupper() and hasattr(value, "_labelnames")]
    written = {(c._name, c._type, c._labelnames) for c in collectors}
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    documented = {(name, kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    assert written == documented
    assert len(rows) == len(documented)


def test_a_server_without_a_lane_says_so_from_the_start():
    program = (
        "from server import metrics; from prometheus_client import generate_latest as page; print(page().decode())"
    )
    page = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert 'asr_lanes{state="ready"} 0.0' in page.splitlines()
