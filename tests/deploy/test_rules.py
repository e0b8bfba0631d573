"""The dashboard is what its program makes, rules are right, and each alert has its page."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.grafana.dashboard import FILE, as_json
from deploy.grafana.panels import FIGURES, LINES
from server import metrics

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")


def rules(name):
    groups = yaml.safe_load((PROMETHEUS / name).read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in rules("alerts.yml")}


def test_the_dashboard_is_what_the_program_makes():
    assert FILE.read_text(encoding="utf-8") == as_json(), "run 'make docs'"


def test_whatever_is_asked_for_is_a_metric_or_a_recorded_rule():
    asked = " ".join(
        [expression for panel in (*FIGURES, *LINES) for expression in panel.expressions().values()]
        + [rule["expr"] for rule in (*rules("recording.yml"), *rules("alerts.yml"))]
    )
    counted = {value._name for name, value in vars(metrics).items() if name.isupper() and hasattr(value, "_name")}
    recorded = {rule["record"] for rule in rules("recording.yml")}
    names = set(re.findall(r"[a-z_]+:[a-z_]+:\w+|\basr_\w+", asked))
    assert {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in names} - counted - recorded == set()


def test_each_alert_has_a_section_of_the_runbook():
    assert re.findall(r"^### (Asr\w+)$", RUNBOOK, re.MULTILINE) == list(ALERTS)
    for name, rule in ALERTS.items():
        assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
        assert f"`{rule['labels']['severity']}`" in RUNBOOK.partition(f"### {name}\n")[2].partition("###")[0], name


@pytest.mark.programs("promtool")
def test_promtool_finds_no_fault_and_each_alert_fires_when_it_should():
    for arguments in (["check", "config", "prometheus.yml"], ["test", "rules", "tests.yml"]):
        checked = subprocess.run(["promtool", *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    tried = (PROMETHEUS / "tests.yml").read_text(encoding="utf-8")
    assert [name for name in ALERTS if name not in tried] == []
