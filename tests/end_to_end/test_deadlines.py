"""Deadlines, clients that leave, failures: the work is dropped, the place is freed, others are not touched."""

import contextlib
import socket

import numpy as np
import pytest

from loadtest.harness.processes import in_background, paused, wait_until
from tests.samples import CLIPS, encode, sentence_of, tone, wav

NAMASTE = next(path for path in CLIPS if path.stem == "namaste").read_bytes()
# Short, so that however slow the machine, a deadline of two seconds is not refused as hopeless.
SHORT = sentence_of(0.3)


@pytest.fixture(scope="module")
def server(model_directory, tmp_path_factory):
    """One lane, so that what runs and what waits is known."""
    from tests.end_to_end.conftest import running

    settings = {"ASR_LANES": "1", "ASR_WINDOW_SECONDS": "60"}
    with running(model_directory, tmp_path_factory.mktemp("deadlines"), settings) as server:
        yield server


@pytest.fixture(autouse=True)
def everything_comes_back(server):
    """Whatever a test does, no permit stays behind."""
    yield
    server.wait_idle()
    server.wait_metric(1, "asr_lanes", state="ready")
    assert server.post(NAMASTE).status_code == 200


@contextlib.contextmanager
def busy_lane(server):
    """The lane holds a request, and goes on when the context ends."""
    with in_background() as submit:
        with paused(*server.lanes()):
            holding = submit(server.post, SHORT)
            server.wait_metric(1, "asr_running_requests")
            yield
        assert holding.result().status_code == 200


@contextlib.contextmanager
def leaving(server, audio):
    """A client whose request has arrived, and who goes away when the context ends."""
    before = server.metric("asr_predicted_wait_seconds_count")
    head = f"POST /transcribe HTTP/1.1\r\nHost: test\r\nContent-Length: {len(audio)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head.encode() + audio)
        server.wait_metric(before + 1, "asr_predicted_wait_seconds_count")
        yield


def test_expired_in_the_queue(server):
    missed = server.metric("asr_deadlines_missed_total", place="queue")
    with busy_lane(server):
        reply = server.post(SHORT, X_Request_Timeout="2")
        assert (reply.status_code, reply.json()["type"]) == (504, "/problems/deadline-exceeded")
        assert server.metric("asr_queued_lane_seconds") == 0
    assert server.metric("asr_deadlines_missed_total", place="queue") == missed + 1


def test_expired_in_a_hung_lane_costs_that_request_alone(server):
    missed = server.metric("asr_deadlines_missed_total", place="lane")
    (lane,) = server.lanes()
    with paused(lane), in_background() as submit:
        expired = submit(server.post, SHORT, X_Request_Timeout="2")
        server.wait_metric(1, "asr_running_requests")
        queued = submit(server.post, NAMASTE)
        assert expired.result().status_code == 504
        assert queued.result().status_code == 200
    assert lane not in server.lanes()
    assert server.metric("asr_deadlines_missed_total", place="lane") == missed + 1
    assert server.metric("asr_lane_restarts_total", cause="deadline") >= 1


def test_an_impatient_client_makes_no_poison(server):
    audio = sentence_of(0.4)
    for _ in range(2):
        with paused(*server.lanes()):
            assert server.post(audio, X_Request_Timeout="2").status_code == 504
            wait_until(lambda: server.metric("asr_lanes", state="down") == 1, "the lane killed")
        server.wait_metric(1, "asr_lanes", state="ready")
    assert server.post(audio).status_code == 200


def test_a_client_that_leaves_the_queue(server):
    cancelled = server.metric("asr_cancelled_requests_total", place="queue")
    seconds = server.metric("asr_cancelled_lane_seconds_total")
    with busy_lane(server):
        with leaving(server, NAMASTE):
            assert server.metric("asr_queued_lane_seconds") > 0
        server.wait_metric(cancelled + 1, "asr_cancelled_requests_total", place="queue")
        assert server.metric("asr_queued_lane_seconds") == 0
    assert server.metric("asr_cancelled_lane_seconds_total") > seconds


def test_a_client_that_leaves_a_lane(server):
    cancelled = server.metric("asr_cancelled_requests_total", place="lane")
    transcribed = server.metric("asr_stage_seconds_count", stage="inference")
    lanes = server.lanes()
    with paused(*lanes):
        with leaving(server, sentence_of(3)):
            server.wait_metric(1, "asr_running_requests")
        server.wait_metric(cancelled + 1, "asr_cancelled_requests_total", place="lane")
    server.wait_metric(0, "asr_running_requests")
    assert server.lanes() == lanes
    assert server.metric("asr_stage_seconds_count", stage="inference") == transcribed


def with_nan():
    samples = tone()
    samples[5] = np.nan
    return encode(samples, subtype="FLOAT")


def test_every_kind_of_failure_gives_its_permit_back(server):
    failures = {
        wav()[:30]: 422,
        b"nonsense": 422,
        b"MThd" + bytes(100): 415,
        encode(tone(0.01)): 422,
        encode(tone(rate=4_000), 4_000): 422,
        with_nan(): 422,
        encode(tone(), container="FLAC")[:-100]: 422,
    }
    (lane,) = server.lanes()
    with in_background() as submit:
        with paused(lane):
            holding = submit(server.post, SHORT)
            server.wait_metric(1, "asr_running_requests")
            replies = [(submit(server.post, body), status) for body, status in failures.items()]
            lane.kill()
        assert holding.result().status_code == 200
        assert [reply.result().status_code for reply, _ in replies] == [status for _, status in replies]
