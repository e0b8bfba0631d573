"""Counts outlive their worker; its files do not."""

import os
import shutil
import subprocess
import sys
import threading

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from server import metric_files

WORKER = """
import os
from server import metrics
metrics.REQUESTS.labels("/transcribe", "POST", 200).inc(3)
metrics.AUDIO_SECONDS.inc(2.5)
metrics.REQUEST_SECONDS.labels("/transcribe", "served").observe(0.2)
metrics.LANES.labels("ready").inc(2)
print(os.getpid())
"""


def work(directory):
    """A process that counts and goes; return its id."""
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(directory)}
    command = [sys.executable, "-c", WORKER]
    return int(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)


def scrape(directory):
    """Sample name → value, labels left out."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(directory))
    return {sample.name: sample.value for family in registry.collect() for sample in family.samples}


def test_counts_of_the_dead_are_added_up(tmp_path):
    for generation in range(1, 4):
        metric_files.inherit(tmp_path, work(tmp_path))
        found = scrape(tmp_path)
        assert found["asr_http_requests_total"] == 3 * generation
        assert found["asr_audio_seconds_total"] == 2.5 * generation
        assert found["asr_http_request_seconds_count"] == generation
        assert found["asr_http_request_seconds_sum"] == pytest.approx(0.2 * generation)


def test_files_do_not_pile_up(tmp_path):
    for _ in range(3):
        metric_files.inherit(tmp_path, work(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counter_0.db", "histogram_0.db", "lock"]


def test_a_scrape_never_counts_twice_or_not_at_all(tmp_path):
    dead = range(1_000_001, 1_000_041)
    alive = work(tmp_path)
    for kind in ("counter", "histogram"):
        for pid in dead:
            shutil.copyfile(tmp_path / f"{kind}_{alive}.db", tmp_path / f"{kind}_{pid}.db")
    master = threading.Thread(target=lambda: [metric_files.inherit(tmp_path, pid) for pid in dead])
    master.start()
    while master.is_alive():
        with metric_files.standing_still(tmp_path):
            assert scrape(tmp_path)["asr_http_requests_total"] == 3 * (len(dead) + 1)
    master.join()


def test_gauges_die_with_their_worker(tmp_path):
    pid = work(tmp_path)
    assert scrape(tmp_path)["asr_lanes"] == 2
    metric_files.inherit(tmp_path, pid)
    assert "asr_lanes" not in scrape(tmp_path)


def test_the_living_count_on(tmp_path):
    work(tmp_path)
    metric_files.inherit(tmp_path, work(tmp_path))
    assert scrape(tmp_path)["asr_http_requests_total"] == 6


def test_a_worker_that_never_counted(tmp_path):
    metric_files.inherit(tmp_path, 999_999_999)
    assert not list(tmp_path.glob("*.db"))


def test_a_directory_is_chosen_once(tmp_path, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "new" / "one"))
    assert metric_files.choose_directory() == tmp_path / "new" / "one"
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR")
    monkeypatch.setattr(metric_files.tempfile, "tempdir", str(tmp_path))
    chosen = metric_files.choose_directory()
    assert chosen.parent == tmp_path
    assert metric_files.choose_directory() == chosen
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR")


def test_what_is_not_ours_stays(tmp_path):
    (tmp_path / "counter_1.db").touch()
    (tmp_path / "precious.txt").touch()
    metric_files.remove(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]
