"""Several workers: what waits at one is done by another, and everybody gets their own text."""

import signal
import socket
from contextlib import ExitStack

import pytest

from loadtest.harness.processes import in_background, paused, wait_until
from tests.samples import DATA, sentence_of

NAMASTE = (DATA / "namaste.wav").read_bytes()


@pytest.fixture
def two_workers(start):
    with start(ASR_WORKERS=2, ASR_LANES=1) as server:
        wait_until(lambda: len(server.logged("lane ready")) >= 2, "both lanes are ready")
        yield server


@pytest.fixture
def pinned(two_workers):
    """Four connections that one worker has accepted, as a balancer may keep them; that worker, and the other."""
    first, second = two_workers.workers()
    with ExitStack() as stack:
        clients = [stack.enter_context(two_workers.client()) for _ in range(4)]
        with paused(second):
            for client in clients:
                assert client.get("/healthz").status_code == 200
        yield clients, first, second


def lane_of(worker):
    return next(child for child in worker.children() if "spawn_main" in " ".join(child.cmdline()))


def seconds_of(process):
    return sum(process.cpu_times()[:2])


def test_long_connections_pin_no_lane(pinned, pipeline):
    clients, first, second = pinned
    clips = [sentence_of(3 + seed / 10, seed) for seed in range(32)]
    expected = [pipeline.transcribe(clip).text for clip in clips]
    before = [seconds_of(lane_of(worker)) for worker in (first, second)]
    with in_background(4) as submit:

        def work(client, share):
            return [client.post("/transcribe", content=clip).json()["text"] for clip in share]

        answers = [submit(work, client, clips[index::4]) for index, client in enumerate(clients)]
    for index, answer in enumerate(answers):
        assert answer.result() == expected[index::4]
    here, there = (seconds_of(lane_of(worker)) - was for worker, was in zip((first, second), before, strict=True))
    assert min(here, there) > 0.2 * max(here, there)


def test_a_worker_that_dies_with_a_fetched_clip_loses_nothing(two_workers, pinned):
    clients, first, second = pinned
    lanes = lane_of(first), lane_of(second)
    with paused(*lanes), in_background(4) as submit:
        answers = [submit(client.post, "/transcribe", content=NAMASTE) for client in clients]
        wait_until(lambda: two_workers.metric("asr_running_requests") == 2, "one clip in the lane of each worker")
        second.send_signal(signal.SIGKILL)
        wait_until(lambda: not lanes[1].is_running() or lanes[1].status() == "zombie", "its lane ends with it")
        lanes[0].resume()
        assert [answer.result().status_code for answer in answers] == [200] * 4


def test_a_client_that_leaves_stops_the_work_at_the_other_worker(two_workers, pinned):
    clients, first, second = pinned
    leaving = [client.get("/healthz").extensions["network_stream"].get_extra_info("socket") for client in clients[:2]]
    connections = len(second.net_connections("unix"))
    with paused(lane_of(first), lane_of(second)), in_background(2) as submit:
        waiting = [submit(client.post, "/transcribe", content=NAMASTE) for client in clients[:2]]
        two_workers.wait_metric(2, "asr_running_requests")  # one in the lane of each worker
        assert len(second.net_connections("unix")) > connections
        for each in leaving:
            each.shutdown(socket.SHUT_RDWR)
        for each in waiting:
            assert isinstance(each.exception(), Exception)
        two_workers.wait_metric(2, "asr_cancelled_requests_total", place="lane")
        wait_until(lambda: len(second.net_connections("unix")) == connections, "the other worker has done with it")
    two_workers.wait_idle()
    assert two_workers.post(NAMASTE).status_code == 200


@pytest.mark.measuring
def test_a_tidy_up_of_the_directory_is_made_good(pinned, tmp_path):
    clients, first, second = pinned
    (directory,) = tmp_path.glob("asr-workers-*")
    for file in directory.iterdir():
        file.unlink()
    directory.rmdir()

    def both_are_back():
        assert clients[0].post("/transcribe", content=NAMASTE).status_code == 200
        return {path.stem for path in directory.glob("*.socket")} == {str(first.pid), str(second.pid)}

    wait_until(both_are_back, "boards and sockets of both workers", pause=0.3)
    assert directory.stat().st_mode & 0o777 == 0o700
