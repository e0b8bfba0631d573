"""Stopping, reloading, recycling and killing: nobody loses an answer, and no process stays behind."""

import signal
import threading
from contextlib import contextmanager

import httpx
import psutil
import pytest

from loadtest.harness.processes import PATIENCE, in_background, paused, wait_until
from loadtest.harness.server import GENEROUS, GunicornServer
from tests.samples import CLIPS, sentence_of

NAMASTE = next(path for path in CLIPS if path.stem == "namaste")


@contextmanager
def load(server, library_texts, clients=4, *, keep_connections=False):
    """Clients that ask all the while, each time on a new connection or not; every answer must be the right text."""
    finish, answers = threading.Event(), []

    def ask(path):
        with server.client() as client:
            post = client.post if keep_connections else httpx.post
            while not finish.is_set():
                reply = post(f"{server.url}/transcribe", content=path.read_bytes(), timeout=PATIENCE)
                answers.append((reply.status_code, reply.json().get("text"), library_texts[path]))

    with in_background(clients) as submit:
        asking = [submit(ask, CLIPS[number % len(CLIPS)]) for number in range(clients)]
        wait_until(lambda: len(answers) > clients, "answers")
        try:
            yield answers
        finally:
            finish.set()
        for asked in asking:
            asked.result()
    assert {status for status, _, _ in answers} == {200}
    assert all(text == expected for _, text, expected in answers)


def test_sigterm_under_load(start, library_texts):
    with start() as server, in_background() as submit:
        with paused(*server.lanes()):
            replies = [(path, submit(server.post, path.read_bytes())) for path in CLIPS * 2]
            server.wait_metric(len(replies), "asr_predicted_wait_seconds_count")
            for process in server.tree():  # as a service manager does
                process.send_signal(signal.SIGTERM)
            wait_until(lambda: not server.is_ready(), "readiness off")
            assert not any(reply.done() for _, reply in replies)
        assert [reply.result().json()["text"] for _, reply in replies] == [library_texts[path] for path, _ in replies]
        assert server.process.wait(120) == 0
        server.assert_gone()
        assert not list(server.directory.glob("asr-metrics-*"))


def test_sigterm_turns_readiness_off_first(start, library_texts):
    """Who is told where to go keeps away, and who comes all the same is served; a second signal is in a hurry."""
    with start(ASR_DRAIN_SECONDS=100_000) as server, server.client() as client:
        assert client.get("/readyz").headers.get("connection") != "close"
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not server.is_ready(), "readiness off")
        for post in (client.post, httpx.post):  # on a connection that was there, and on a new one
            reply = post(f"{server.url}/transcribe", content=NAMASTE.read_bytes(), timeout=PATIENCE)
            assert reply.json()["text"] == library_texts[NAMASTE]
            assert reply.headers["connection"] == "close"
        server.stop()


def test_sigterm_when_idle(start):
    with start(ASR_WORKERS=2) as server:
        assert len(server.workers()) == 2
        assert len(server.lanes()) == 4
        server.stop()
        assert server.process.returncode == 0


def test_sigterm_while_lanes_start(model_directory, tmp_path):
    server = GunicornServer(model_directory, tmp_path, GENEROUS)
    try:
        wait_until(lambda: server.workers() and server.lanes(), "lanes that start")
        server.stop()
    finally:
        server.kill_all()


def test_sigterm_does_not_wait_for_a_hung_lane(start):
    """Clips and recordings that were not finished in time are answered and noted, and count on nobody's limit."""
    limited = {"ASR_LANES": 1, "ASR_AUDIO_SECONDS_PER_DAY": 1000}
    with start(**limited, ASR_GRACE_SECONDS=4) as server, in_background() as submit:
        with paused(*server.lanes()):
            lost = [submit(server.post, audio) for audio in (NAMASTE.read_bytes(), sentence_of(400))]
            server.wait_metric(1, "asr_running_requests")
            server.wait_metric(2, "asr_windows")
            server.stop()
        assert [reply.result().status_code for reply in lost] == [503, 503]
        said = [(line["status"], line["problem"]) for line in server.logged("request") if line["path"] == "/transcribe"]
        assert said == [(503, "shutting-down")] * 2
    with start(**limited) as server:
        assert server.post(b"").headers["RateLimit"] == '"audio-day";r=1000'


def test_sigint_as_from_a_terminal(start):
    with start() as server:
        for process in server.tree():
            process.send_signal(signal.SIGINT)  # Ctrl-C reaches the whole group
        assert server.process.wait(120) == 0
        server.assert_gone()


@pytest.mark.measuring
@pytest.mark.parametrize("keep_connections", [False, True])
def test_sighup_under_load(start, tmp_path, library_texts, keep_connections):
    with start(PROMETHEUS_MULTIPROC_DIR=tmp_path / "metrics") as server:
        with load(server, library_texts, keep_connections=keep_connections) as answers:
            (before,) = server.workers()
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda: before not in server.workers() and server.workers(), "a new worker")
            enough = len(answers) + 8
            wait_until(lambda: len(answers) > enough, "answers after it")
        requests = server.metric("asr_http_requests_total", route="/transcribe", status="200")
        assert requests == len(answers), "counts survive a reload where they lie in files"


@pytest.mark.measuring
def test_recycled_workers_lose_nothing(start, library_texts):
    """Neither those that a reload forked, nor those that came in the place of others."""
    with start(ASR_MAX_REQUESTS=20) as server:
        (before,) = server.workers()
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: before not in server.workers() and server.workers(), "a new worker")
        workers = set()

        def recycled():
            workers.update(worker.pid for worker in server.workers())
            return len(workers) >= 3

        with load(server, library_texts) as answers:
            wait_until(recycled, "two recycled workers")
            enough = len(answers) + 8
            wait_until(lambda: len(answers) > enough, "answers after it")


def test_sigkill_of_a_worker(start, library_texts):
    with start() as server:
        (worker,), lanes = server.workers(), server.lanes()
        worker.kill()
        wait_until(lambda: not any(_alive(lane) for lane in lanes), "its lanes gone", 30)
        wait_until(lambda: server.workers() not in ([], [worker]), "a new worker")
        # No tracker of resources is the master's: what a killed worker leaves in /dev/shm, its own one tidies up.
        assert server.master.children() == server.workers()
        server.wait_ready()
        assert server.post(NAMASTE.read_bytes()).json()["text"] == library_texts[NAMASTE]


def test_sigkill_of_a_worker_at_work(start):
    with start(ASR_WINDOW_SECONDS=60) as server, in_background() as submit:
        lanes = server.lanes()
        lost = [submit(server.post, sentence_of(60)) for _ in lanes]
        server.wait_metric(len(lanes), "asr_running_requests")
        server.workers()[0].kill()
        wait_until(lambda: not any(_alive(lane) for lane in lanes), "its lanes gone", 30)
        assert all(reply.exception() for reply in lost)
        server.wait_ready()
        server.wait_metric(0, "asr_running_requests")


def test_sigkill_of_the_master(start, tmp_path):
    directory = tmp_path / "metrics"
    with start(PROMETHEUS_MULTIPROC_DIR=directory) as server:
        server.post(NAMASTE.read_bytes())
        server.process.kill()
        server.process.wait()
        server.assert_gone()
    with start(PROMETHEUS_MULTIPROC_DIR=directory) as server:
        assert server.metric("asr_http_requests_total", route="/transcribe") == 0
        server.stop()
        assert not directory.exists()


def _alive(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
