"""A lane that dies, hangs or grows costs nobody an answer, save the one request that kills two."""

import signal

import psutil
import pytest

from loadtest.harness.processes import in_background, paused, wait_until
from tests.samples import CLIPS, sentence_of

NAMASTE = next(path for path in CLIPS if path.stem == "namaste")


def lose(server, lane, number=signal.SIGKILL):
    """End a lane's process, and wait until the kernel has."""
    lane.send_signal(number)
    wait_until(lambda: not psutil.pid_exists(lane.pid) or lane not in server.lanes(), f"{lane} gone")


def running_lane(server):
    """The one lane of a server, once it is at work."""
    server.wait_metric(1, "asr_running_requests")
    (lane,) = server.lanes()
    return lane


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT], ids=lambda number: number.name)
def test_an_idle_lane(start, library_texts, number):
    with start() as server:
        before = server.lanes()
        lose(server, before[0], number)
        server.wait_metric(1, "asr_lane_restarts_total", cause="died")
        server.wait_metric(2, "asr_lanes", state="ready")
        assert before[1] in server.lanes()
        assert len(server.lanes()) == 2
        assert len(server.workers()) == 1
        for path, text in library_texts.items():
            assert server.post(path.read_bytes()).json()["text"] == text
        assert server.metric("asr_retried_requests_total") == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV], ids=lambda number: number.name)
def test_a_lane_under_work(start, library_texts, number):
    with start(ASR_LANES=1) as server, in_background() as submit:
        (lane,) = server.lanes()
        with paused(lane):
            running = submit(server.post, NAMASTE.read_bytes())
            server.wait_metric(1, "asr_running_requests")
            queued = {path: submit(server.post, path.read_bytes()) for path in CLIPS}
            server.wait_metric(len(CLIPS) + 1, "asr_predicted_wait_seconds_count")
            lane.send_signal(number)  # SIGKILL acts at once, any other when the lane goes on
        assert running.result().json()["text"] == library_texts[NAMASTE]
        assert {path: reply.result().json()["text"] for path, reply in queued.items()} == library_texts
        assert server.metric("asr_retried_requests_total") == 1
        assert server.metric("asr_lane_restarts_total", cause="died") == 1


def test_every_lane_at_once(start, library_texts):
    with start() as server, in_background() as submit:
        lanes = server.lanes()
        with paused(*lanes):
            replies = {path: submit(server.post, path.read_bytes()) for path in CLIPS}
            server.wait_metric(2, "asr_running_requests")
            for lane in lanes:
                lane.kill()
        assert {path: reply.result().json()["text"] for path, reply in replies.items()} == library_texts
        server.wait_metric(2, "asr_lanes", state="ready")


def test_a_hung_lane_is_replaced(start, library_texts):
    with start(ASR_LANES=1, ASR_HANG_SECONDS=1) as server, in_background() as submit:
        (lane,) = server.lanes()
        with paused(lane):
            reply = submit(server.post, NAMASTE.read_bytes())
            assert reply.result().json()["text"] == library_texts[NAMASTE]
        assert lane not in server.lanes()
        assert server.metric("asr_lane_restarts_total", cause="hung") == 1
        assert server.metric("asr_retried_requests_total") == 1


def test_a_hung_lane_keeps_nobody_but_its_own_request_waiting(start, library_texts):
    with start() as server, in_background() as submit:
        lane, _ = server.lanes()
        with paused(lane):
            # One of these is in the stopped lane, and one may have been handed over behind it.
            replies = [submit(server.post, NAMASTE.read_bytes()) for _ in range(12)]
            wait_until(lambda: sum(reply.done() for reply in replies) == 11, "all but one")
        assert {reply.result().json()["text"] for reply in replies} == {library_texts[NAMASTE]}


@pytest.mark.parametrize("seconds", [60, 70], ids=["clip", "window of a recording"])
def test_an_input_that_kills_two_lanes_is_let_in_no_more(start, library_texts, seconds):
    poison = sentence_of(seconds)
    with start(ASR_LANES=1, ASR_WINDOW_SECONDS=60) as server, in_background() as submit:
        reply = submit(server.post, poison)
        first = running_lane(server)
        first.kill()
        server.wait_metric(1, "asr_retried_requests_total")
        wait_until(lambda: server.lanes() not in ([], [first]), "another lane")
        second = running_lane(server)
        assert second != first
        second.kill()
        crashed = reply.result()
        assert (crashed.status_code, crashed.json()["type"]) == (500, "/problems/lane-crashed")
        assert crashed.json()["request_id"] == crashed.headers["x-request-id"]
        assert ("(0.0 to " in crashed.json()["detail"]) == (seconds > 60)
        refused = server.post(poison)
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/poison-input")
        assert server.metric("asr_rejected_requests_total", reason="poison") == 1
        assert server.post(NAMASTE.read_bytes()).json()["text"] == library_texts[NAMASTE]


def test_a_lane_over_its_memory_is_recycled_between_requests(start, library_texts):
    with start(ASR_LANES=1, ASR_LANE_MEMORY_MB=16) as server:
        for path, text in library_texts.items():
            before = server.lanes()
            assert server.post(path.read_bytes()).json()["text"] == text
            wait_until(lambda before=before: server.lanes() not in ([], before), "a new lane")
        wait_until(lambda: server.metric("asr_lane_restarts_total", cause="memory") >= len(CLIPS), "recycled")
        assert server.metric("asr_retried_requests_total") == 0


@pytest.mark.measuring
def test_recycling_under_load_hurts_nobody(start, library_texts):
    with start(ASR_LANE_MEMORY_MB=16) as server, in_background(8) as submit:
        replies = [(path, submit(server.post, path.read_bytes())) for path in CLIPS * 3]
        assert [reply.result().json()["text"] for _, reply in replies] == [library_texts[path] for path, _ in replies]
