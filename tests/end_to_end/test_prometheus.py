"""A real Prometheus looks at a real server: each panel of the dashboard has something to show, and alerts fire."""

import math
import re
import time

import pytest
import soundfile
import yaml

from deploy.grafana.panels import FIGURES, LINES
from deploy.grafana.picture import paint
from loadtest.harness import REPOSITORY
from loadtest.harness.processes import wait_until
from loadtest.harness.prometheus import Prometheus
from tests.end_to_end.conftest import running
from tests.samples import CLIPS

pytestmark = [pytest.mark.programs("prometheus"), pytest.mark.measuring]

PANELS = {
    f"{panel.title}, {legend}": expression
    for panel in (*FIGURES, *LINES)
    for legend, expression in panel.expressions(".+", "1m").items()
}
RULES = yaml.safe_load((REPOSITORY / "deploy/prometheus/recording.yml").read_text(encoding="utf-8"))
RECORDED = {rule["record"]: rule["record"] for group in RULES["groups"] for rule in group["rules"]}
TO_SCALE_ON = {
    query: query
    for query in re.findall(r"`(sum\(.+?\))`", (REPOSITORY / "docs/metrics.md").read_text(encoding="utf-8"))
}
ASKED = PANELS | RECORDED | TO_SCALE_ON
NAMASTE = CLIPS[0].read_bytes()


@pytest.fixture(scope="module")
def watched(model_directory, tmp_path_factory):
    """A server of two workers, and its Prometheus, which has seen both lanes."""
    directory = tmp_path_factory.mktemp("watched")
    settings = {"ASR_WORKERS": "2", "ASR_LANES": "1"}
    with (
        running(model_directory, directory, settings) as server,
        Prometheus([server.address], directory, patient=False) as prometheus,
    ):
        wait_until(lambda: value(prometheus, 'sum(asr_lanes{job="asr",state="ready"})') == 2, "both lanes", pause=0.2)
        yield server, prometheus


def value(prometheus, expression):
    found = [each for _, each in prometheus.ask(expression) if not math.isnan(each)]
    return max(found, default=None)


def firing(prometheus):
    return {labels["alertname"] for labels, _ in prometheus.ask('ALERTS{job="asr",alertstate="firing"}')}


def test_what_was_heard_is_counted(watched):
    server, prometheus = watched
    for path in CLIPS:
        server.post(path.read_bytes()).raise_for_status()
    spoken = sum(soundfile.info(path).duration for path in CLIPS)
    clips = 'sum(asr_stage_seconds_count{stage="inference"})'
    expected = {"sum(asr_audio_seconds_total)": pytest.approx(spoken, abs=0.01), clips: len(CLIPS)}
    wait_until(lambda: {asked: value(prometheus, asked) for asked in expected} == expected, "all counted", pause=0.2)


def test_each_panel_and_each_recorded_rule_has_a_series_and_alerts_fire(watched, tmp_path):
    server, prometheus = watched
    for _ in range(3):
        ready = len(server.logged("lane ready"))
        server.lanes()[0].kill()
        wait_until(lambda ready=ready: len(server.logged("lane ready")) > ready, "the lane is back", pause=0.2)

    def missing():
        # More of them each time, since a rate wants two looks at a count that grows.
        assert server.post(NAMASTE).status_code == 200
        assert server.post(NAMASTE, X_Request_Timeout="1e-6").status_code == 429
        silent = {"AsrLanesRestarting", "AsrRefusing"} - firing(prometheus)
        shown = {name: value(prometheus, asked) for name, asked in ASKED.items()}
        return silent or None in shown.values() or shown["Alerts, Alerts"] < 2

    wait_until(lambda: not missing(), "a series for each panel, and alerts", pause=0.2)
    assert firing(prometheus).isdisjoint({"AsrNoLane", "AsrFailing"})

    paint(prometheus, time.time() - 30, time.time(), tmp_path / "dashboard.png")
    assert 5_000 < (tmp_path / "dashboard.png").stat().st_size < 60_000


def test_memory_is_that_of_all_workers_and_lanes(watched):
    server, _ = watched

    def are_near():
        own = {"lanes": own_bytes(server.lanes()), "worker": own_bytes(server.workers())}
        return {name: server.metric("asr_memory_bytes", process=name) for name in own} == pytest.approx(own, rel=0.1)

    wait_until(are_near, "memory as the kernel counts it", pause=0.2)


def own_bytes(processes):
    return sum(each.memory_info().rss - each.memory_info().shared for each in processes)
