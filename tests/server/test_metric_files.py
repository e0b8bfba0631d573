"""Counts outlive their worker; where workers are recycled, their files do not."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter

import pytest

from server import metric_files, metrics_page

WORKER = """
import os
from server import metrics_page
metrics_page.prepare()
from server import metrics
metrics.REQUESTS.labels("/transcribe", "POST", 200).inc(3)
metrics.AUDIO_SECONDS.inc(2.5)
metrics.REQUEST_SECONDS.labels("/transcribe", "served").observe(0.2)
metrics.LANES.labels("ready").inc(2)
print(os.getpid())
"""


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """Where this process looks for the files of others."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return tmp_path


def work(directory):
    """A process that counts and goes; return its id."""
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(directory)}
    command = [sys.executable, "-c", WORKER]
    return int(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)


def scrape(directory):
    """Sample name → value, of all labels together."""
    found = Counter()
    for family in metrics_page.AllWorkers(directory).collect():
        for sample in family.samples:
            found[sample.name] += sample.value
    return found


def test_counts_of_the_dead_are_added_up(directory):
    for generation in range(1, 4):
        metric_files.worker_exited(work(directory), recycling=True)
        found = scrape(directory)
        assert found["asr_http_requests_total"] == 3 * generation
        assert found["asr_audio_seconds_total"] == 2.5 * generation
        assert found["asr_http_request_seconds_count"] == generation
        assert found["asr_http_request_seconds_sum"] == pytest.approx(0.2 * generation)


def test_files_of_recycled_workers_do_not_pile_up(directory):
    for _ in range(3):
        metric_files.worker_exited(work(directory), recycling=True)
    assert sorted(path.name for path in directory.iterdir()) == ["counter_0.db", "histogram_0.db", "lock"]


def test_files_of_others_stay_as_they_are(directory):
    pid = work(directory)
    metric_files.worker_exited(pid, recycling=False)
    assert sorted(path.name for path in directory.iterdir()) == [f"counter_{pid}.db", f"histogram_{pid}.db"]
    assert scrape(directory)["asr_http_requests_total"] == 3


def test_a_scrape_never_counts_twice_or_not_at_all(directory):
    dead = range(1_000_000_001, 1_000_000_041)
    worked = work(directory)
    for kind in ("counter", "histogram"):
        for pid in dead:
            shutil.copyfile(directory / f"{kind}_{worked}.db", directory / f"{kind}_{pid}.db")
    master = threading.Thread(target=lambda: [metric_files.worker_exited(pid, recycling=True) for pid in dead])
    master.start()
    while master.is_alive():
        with metric_files.reading(directory):
            assert scrape(directory)["asr_http_requests_total"] == 3 * (len(dead) + 1)
    master.join()


def test_what_a_reader_holds_is_added_up_later(directory):
    first = work(directory)
    with (directory / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        metric_files.worker_exited(first, recycling=True)
        assert (directory / f"counter_{first}.db").exists()
    metric_files.worker_exited(work(directory), recycling=True)
    assert not (directory / f"counter_{first}.db").exists()
    assert scrape(directory)["asr_http_requests_total"] == 6


def test_a_reader_does_not_wait_for_ever(directory, monkeypatch):
    monkeypatch.setattr(metric_files, "_LOCK_SECONDS", 0.05)
    with (directory / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError, match="lock"), metric_files.reading(directory):
            pass


def test_gauges_die_with_their_worker(directory):
    pid = work(directory)
    assert scrape(directory)["asr_lanes"] == 2
    metric_files.worker_exited(pid, recycling=False)
    assert "asr_lanes" not in scrape(directory)


def test_a_damaged_file_costs_no_other_counts(directory):
    metric_files.worker_exited(work(directory), recycling=True)
    (directory / "counter_999999999.db").write_bytes(b"")
    (directory / "histogram_0.db").write_bytes(b"\xff" * 100)
    metric_files.worker_exited(work(directory), recycling=True)
    assert scrape(directory)["asr_http_requests_total"] == 6
    assert scrape(directory)["asr_http_request_seconds_count"] == 1
    assert not (directory / "counter_999999999.db").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_living_worker_names_its_lost_files_again(directory):
    waiting = (
        "input()\nmetrics_page.restore()\nprint(flush=True)\nmetrics.AUDIO_SECONDS.inc(1)\nprint(flush=True)\ninput()"
    )
    command = [sys.executable, "-uc", f"{WORKER}\n{waiting}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
        pid = int(worker.stdout.readline())
        shutil.rmtree(directory)
        print(file=worker.stdin, flush=True)
        assert worker.stdout.readline() == worker.stdout.readline() == "\n"
        found = scrape(directory)
        assert (found["asr_lanes"], found["asr_http_requests_total"], found["asr_audio_seconds_total"]) == (2, 3, 3.5)
        worker.kill()
    metric_files.worker_exited(pid, recycling=True)
    assert scrape(directory) == {}


def test_nothing_raises_into_the_master(directory):
    directory.rmdir()
    metric_files.worker_exited(1_000_000_000, recycling=True)
    directory.write_text("a file")
    metric_files.worker_exited(1_000_000_000, recycling=True)
    metric_files.remove_directory()
    assert directory.read_text() == "a file"


def test_space_for_all_collectors_is_taken_beforehand(directory):
    pid = work(directory)
    kinds = {path.name.removesuffix(f"_{pid}.db"): path.stat().st_size for path in directory.glob("*.db")}
    assert kinds == dict.fromkeys(("counter", "histogram", "gauge_livesum", "gauge_livemax"), 512 * 1024)


def test_a_directory_is_made_where_it_is_needed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")  # not the current directory, where no file is ours
    metric_files.open_directory(shared=False, keep_files=False)
    assert metric_files.shared_directory() is None
    metric_files.open_directory(shared=True, keep_files=False)
    chosen = metric_files.shared_directory()
    assert chosen.parent == tmp_path
    (chosen / "counter_1.db").touch()
    metric_files.open_directory(shared=True, keep_files=True)
    assert metric_files.shared_directory() == chosen
    assert (chosen / "counter_1.db").exists()
    metric_files.open_directory(shared=True, keep_files=False)
    assert not list(chosen.iterdir())


def test_what_is_not_ours_stays(directory):
    (directory / "counter_999999999.db").touch()
    (directory / "precious.txt").touch()
    metric_files.remove_directory()
    assert [path.name for path in directory.iterdir()] == ["precious.txt"]
