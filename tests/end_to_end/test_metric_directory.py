"""Whatever happens to the directory of several workers' metric files, it costs counts and never the server."""

import contextlib
import random
import shutil
import signal
import stat
import sys
import tempfile
from pathlib import Path
from threading import Thread

import httpx
import pytest

from loadtest.harness import REPOSITORY
from loadtest.harness.processes import PATIENCE, paused, wait_until
from tests.end_to_end.test_small_machine import _can_mount, on_machine
from tests.samples import CLIPS

NAMASTE = CLIPS[0].read_bytes()
NOBODY = 65534


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "metrics"


@pytest.fixture
def two_workers(start, directory):
    def start_two(**settings):
        # The shorter the grace, the more often a worker looks whether its files are there.
        settings |= {"ASR_WORKERS": 2, "ASR_LANES": 1, "ASR_GRACE_SECONDS": 2}
        return start(PROMETHEUS_MULTIPROC_DIR=directory, **settings)

    return start_two


def replace_a_worker(server):
    """Kill one, and wait for another: the master is there and does its work."""
    before = server.workers()
    before[0].kill()
    wait_until(lambda: len(set(server.workers()) - set(before)) == 1, "a new worker")
    wait_until(lambda: len(server.lanes()) == 2, "its lane")
    assert server.process.poll() is None


def count_one(server):
    """A request, counted a moment after its answer."""
    assert server.post(NAMASTE).status_code == 200
    server.wait_metric(1, "asr_http_requests_total", route="/transcribe")


def test_one_worker_needs_none(server):
    assert server.post(NAMASTE).status_code == 200
    files = [file.path for file in server.workers()[0].open_files()]
    assert not [path for path in files if "counter_" in path or "gauge_" in path]
    assert server.metric("asr_http_requests_total", route="/transcribe") > 0
    assert not list(server.directory.glob("asr-metrics-*"))


def test_several_make_one_and_take_it_away(start):
    with start(ASR_WORKERS=2, ASR_LANES=1) as server:
        wait_until(lambda: server.metric("asr_lanes", state="ready") == 2, "both lanes counted")
        assert len(list(server.directory.glob("asr-metrics-*"))) == 1
        server.stop()


@pytest.mark.measuring
def test_removed_with_all_that_is_in_it(two_workers, directory):
    with two_workers() as server:
        for _ in range(4):
            assert server.post(NAMASTE).status_code == 200
        shutil.rmtree(directory)
        assert httpx.get(f"{server.url}/metrics").status_code == 200
        replace_a_worker(server)
        # The other one is seen again when it looks.
        wait_until(lambda: server.metric("asr_lanes", state="ready") == 2, "both lanes counted")
        replace_a_worker(server)
        assert server.post(NAMASTE).status_code == 200


DAMAGED = [b"", b"\xff" * 100, b"\x40\0\0\0" + bytes(60), random.Random(0).randbytes(70_000)]


def test_damaged_files(two_workers, directory):
    with two_workers(ASR_MAX_REQUESTS=1_000_000) as server:
        count_one(server)
        for number, content in enumerate(DAMAGED):
            for kind in ("counter", "histogram", "gauge_livesum", "unknown"):
                (directory / f"{kind}_{999_999_990 + number}.db").write_bytes(content)
        (directory / "counter_0.db").write_bytes(b"")
        assert server.metric("asr_http_requests_total", route="/transcribe") == 1
        replace_a_worker(server)
        assert server.metric("asr_http_requests_total", route="/transcribe") == 1


def test_a_file_in_its_place(two_workers, directory):
    with two_workers() as server:
        shutil.rmtree(directory)
        directory.write_text("mine")
        reply = httpx.get(f"{server.url}/metrics")
        assert (reply.status_code, str(directory) in reply.text) == (503, True)
        replace_a_worker(server)
        replace_a_worker(server)
        assert server.post(NAMASTE).status_code == 200
        warnings = httpx.get(f"{server.url}/readyz").json()["warnings"]
        assert any(str(directory) in warning for warning in warnings)
        assert directory.read_text() == "mine"


def stop_in_a_scrape(server, directory):
    """Stop a worker while it holds the lock that a scrape takes; return it."""
    lock = f":{(directory / 'lock').stat().st_ino} "
    scrapes = [Thread(target=keep_scraping, args=(server.url,), daemon=True) for _ in range(4)]
    for scrape in scrapes:
        scrape.start()

    def caught():
        for worker in server.workers():
            worker.suspend()
            holders = {int(line.split()[4]) for line in Path("/proc/locks").read_text().splitlines() if lock in line}
            if worker.pid in holders:
                return worker
            worker.resume()
        return None

    return wait_until(caught, "a worker inside a scrape")


def keep_scraping(url):
    with contextlib.suppress(httpx.HTTPError):  # the one that is stopped answers nobody
        while True:
            httpx.get(f"{url}/metrics", timeout=5)


@pytest.mark.measuring
@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="no /proc here")
def test_a_worker_stopped_inside_a_scrape_holds_nobody(two_workers, directory):
    with two_workers(ASR_MAX_REQUESTS=1_000_000) as server:
        count_one(server)
        for number in range(300):  # so that a scrape takes a while
            shutil.copy(next(directory.glob("counter_*.db")), directory / f"counter_{999_999_000 + number}.db")
        stopped = stop_in_a_scrape(server, directory)
        before = server.workers()
        (other,) = set(before) - {stopped}
        other.kill()
        wait_until(lambda: set(server.workers()) - set(before), "a new worker")
        assert server.process.poll() is None
        assert list(directory.glob(f"counter_{other.pid}.db"))  # counted, though nobody could merge it
        stopped.kill()
        wait_until(lambda: len(server.lanes()) == 2, "both lanes")
        assert server.metric("asr_http_requests_total", route="/transcribe") >= 1
        replace_a_worker(server)
        assert (directory / "counter_0.db").exists()


def closed(path):
    """The outermost directory around `path` that others may not enter: root's home, or what mktemp makes."""
    return next((parent for parent in reversed(path.parents) if not parent.stat().st_mode & stat.S_IXOTH), None)


def opened_to_all(directory):
    """A shell script that gives everybody Python and the repository, where they lie in a directory that is closed."""
    within = [path for path in (Path(sys.base_prefix), REPOSITORY) if closed(path)]
    places = {directory / f"opened-{number}": path for number, path in enumerate(within)}
    return "\n".join(
        [
            *(f"mkdir '{place}'; mount --rbind '{path}' '{place}'" for place, path in places.items()),
            *(f"mount -t tmpfs -o mode=755 tmpfs '{around}'" for around in {closed(path) for path in within}),
            *(f"mkdir -p '{path}'; mount --rbind '{place}' '{path}'" for place, path in places.items()),
        ]
    )


@pytest.fixture
def everybodys():
    """A directory like /tmp."""
    if not _can_mount():
        pytest.skip("only root can give workers another user")
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o1777)
        yield Path(name)


@pytest.fixture
def of_nobody(model_directory, everybodys):
    """Starts a server by root, whose two workers are nobody."""

    @contextlib.contextmanager
    def start_two(**settings):
        settings |= {"ASR_WORKERS": "2", "ASR_LANES": "1", "ASR_CACHE": str(everybodys / "cache")}
        settings |= {"ASR_MAX_REQUESTS": "1000000", "GUNICORN_CMD_ARGS": f"--user {NOBODY}"}
        with on_machine(opened_to_all(everybodys), model_directory, everybodys, **settings) as server:
            server.wait_ready()
            assert {worker.uids().effective for worker in server.workers()} == {NOBODY}
            yield server

    return start_two


@pytest.mark.parametrize("named", [False, True])
def test_workers_of_another_user_share_it(of_nobody, everybodys, named):
    roots = everybodys / "roots"
    roots.mkdir()
    with of_nobody(**({"PROMETHEUS_MULTIPROC_DIR": str(roots / "metrics")} if named else {})) as server:
        wait_until(lambda: server.metric("asr_lanes", state="ready") == 2, "both lanes counted")
        (metrics,) = [*everybodys.glob("asr-metrics-*"), *roots.iterdir()]
        count_one(server)
        replace_a_worker(server)
        replace_a_worker(server)
        assert {file.stat().st_uid for file in (metrics, metrics / "counter_0.db")} == {NOBODY}
        assert server.metric("asr_http_requests_total", route="/transcribe") == 1
        server.stop()


def test_links_of_another_user_lead_root_nowhere(of_nobody, everybodys):
    roots = everybodys / "roots"
    roots.mkdir(0o700)
    for name in ("secret", "counter_999999999.db"):
        (roots / name).touch(0o600)
    with of_nobody() as server:
        (metrics,), (shared,) = (everybodys.glob(f"asr-{kind}-*") for kind in ("metrics", "workers"))
        (metrics / "lock").unlink(missing_ok=True)
        (metrics / "lock").symlink_to(roots / "made")
        replace_a_worker(server)
        shared.rename(everybodys / "away")
        shared.symlink_to(roots / "secret")
        before = server.workers()
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.workers() and not set(before) & set(server.workers()), "a reload")
        with paused(*server.workers()):  # which would make it again
            shutil.rmtree(metrics)
            metrics.symlink_to(roots)
        server.process.terminate()
        server.process.wait(PATIENCE)
    assert {file.name: file.stat().st_uid for file in roots.iterdir()} == {"secret": 0, "counter_999999999.db": 0}
