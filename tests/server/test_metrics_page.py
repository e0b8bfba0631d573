"""docs/metrics.md lists every metric with its type and labels, and no other."""

import re
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
