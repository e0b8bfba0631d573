"""Limits of callers at a real server of two workers: each attack is a caller of its own, by its address."""

import io
import re
import signal
import socket

import numpy as np
import pytest
import soundfile

from inference.audio.pieces import estimate_seconds
from loadtest.harness.processes import in_background, paused, wait_until
from tests.end_to_end.conftest import running
from tests.inference.audio.encoders import ffmpeg
from tests.redis_server import redis_server
from tests.samples import DATA, encode, sentence_of, tone

CLIP = (DATA / "namaste.wav").read_bytes()
TWO_WORKERS = {"ASR_WORKERS": "2", "ASR_LANES": "1", "ASR_TRUSTED_PROXIES": "127.0.0.1"}
LIMITS = {"ASR_REQUESTS_PER_MINUTE": "5", "ASR_AUDIO_SECONDS_PER_MINUTE": "40", "ASR_CONCURRENT_REQUESTS": "2"}


@pytest.fixture(scope="module")
def server(model_directory, tmp_path_factory):
    with running(model_directory, tmp_path_factory.mktemp("limits"), TWO_WORKERS | LIMITS) as server:
        yield server


def post(server, caller, audio=CLIP):
    """From an address of the caller's own, on a new connection, which either worker may get."""
    return server.post(audio, X_Forwarded_For=f"192.0.2.{caller}")


def assert_refused(reply, policy):
    assert reply.status_code == 429
    problem = reply.json()
    assert (problem["type"], problem["violated-policies"]) == ("/problems/quota-exceeded", [policy])
    assert f'"{policy}";r=0' in reply.headers["RateLimit"] or policy.startswith("audio")
    return reply.headers


def test_two_workers_let_through_no_more_than_one_would(server):
    replies = [post(server, 1) for _ in range(8)]
    assert [reply.status_code for reply in replies] == [200] * 5 + [429] * 3
    assert replies[0].headers["RateLimit"].startswith('"requests";r=4;t=')
    assert replies[0].headers["RateLimit-Policy"].startswith('"requests";q=5;w=60, "audio-minute";q=40;qu=')
    headers = assert_refused(replies[-1], "requests")
    assert 1 <= int(headers["Retry-After"]) <= 120
    assert post(server, 2).status_code == 200
    assert server.metric("asr_limited_requests_total", limit="requests") >= 3


def test_openais_client_hears_of_it_in_its_own_way(server):
    openai = pytest.importorskip("openai")
    with openai.OpenAI(
        base_url=f"{server.url}/v1",
        api_key="none",
        max_retries=0,
        default_headers={"X-Forwarded-For": "192.0.2.3"},
    ) as client:
        for _ in range(5):
            client.audio.transcriptions.create(file=DATA / "namaste.wav", model="whisper-1")
        with pytest.raises(openai.RateLimitError, match="5 requests a minute") as refused:
            client.audio.transcriptions.create(file=DATA / "namaste.wav", model="whisper-1")
    assert (refused.value.type, refused.value.code) == ("rate_limit_error", "quota_exceeded")
    assert int(refused.value.response.headers["Retry-After"]) >= 1


@pytest.mark.measuring
def test_a_recording_that_says_its_length_is_refused_before_any_work_and_costs_nothing(server):
    recording = sentence_of(30)
    assert post(server, 4, recording).status_code == 200
    assert_refused(post(server, 4, recording), "audio-minute")
    assert post(server, 4).status_code == 200
    never = post(server, 5, encode(tone(50)))
    assert "Retry-After" not in assert_refused(never, "audio-minute")
    assert "and this is more" in never.json()["detail"]


@pytest.mark.measuring
def test_audio_that_hides_its_length_is_refused_where_the_limit_is_reached(server):
    hidden = ffmpeg(tone(50), container="adts", codec="aac")
    assert estimate_seconds(hidden, guess=False) == 0
    assert_refused(post(server, 6, hidden), "audio-minute")


def test_a_stream_whose_client_has_no_patience_counts_what_it_told(start):
    """Of audio that hides its length; the log says too what it was about."""
    samples, _ = soundfile.read(io.BytesIO(sentence_of(120)))
    form = {"data": {"model": "whisper-1", "stream": "true"}}
    form["files"] = {"file": ffmpeg(samples, container="adts", codec="aac")}
    asked = {"X-Request-ID": "impatient", "X-Request-Timeout": "10"}
    with start(ASR_LANES=1, ASR_WINDOW_SECONDS=5, ASR_AUDIO_SECONDS_PER_DAY=36_000) as server:
        with (
            server.client() as client,
            client.stream("POST", "/v1/audio/transcriptions", headers=asked, **form) as reply,
        ):
            lines = reply.iter_lines()
            assert any("transcript.text.delta" in line for line in lines)
            with paused(*server.lanes()):
                assert "deadline_exceeded" in "".join(lines)
        (line,) = wait_until(
            lambda: [e for e in server.logged("request") if e["request_id"] == "impatient"], "its line"
        )
        assert (line["failed"], line["model"]) == (504, "hi-demo")
        assert 0 < line["heard"] < 120
        left = re.search(r'"audio-day";r=(\d+)', server.post(CLIP).headers["RateLimit"])
        assert 0 <= 36_000 - 2 - line["heard"] - int(left[1]) < 2  # those of the clip, and a part of a second


def test_the_log_says_which_limit_it_was(server):
    """Known before there is work, and only where there is."""
    for _ in range(6):
        post(server, 12)
    assert post(server, 13, encode(tone(50))).status_code == 429

    def told():
        return {line.get("reason") for line in server.logged("request")} >= {"requests", "audio-minute"}

    wait_until(told, "both limits")


@pytest.mark.parametrize("caller", [10, 11])
def test_channels_that_are_heard_apart_are_charged_for_each(server, caller):
    """Silence, so that no model need run; what says how many channels it has, and what does not."""
    stereo = np.zeros((8 * 16_000, 2), np.float32)
    audio = encode(stereo) if caller == 10 else ffmpeg(stereo, container="adts", codec="aac")
    with server.client(headers={"X-Forwarded-For": f"192.0.2.{caller}"}) as client:
        reply = client.post("/transcribe?channels=separate", content=audio)
        assert reply.status_code == 200
        (left,) = re.findall(r'"audio-minute";r=(\d+)', reply.headers["RateLimit"])
        assert int(left) in (23, 24)  # of 40; encoders add a little
        reply = client.post("/transcribe", content=audio)
        (left,) = re.findall(r'"audio-minute";r=(\d+)', reply.headers["RateLimit"])
        assert int(left) in (15, 16)


def test_a_client_over_its_limit_need_not_send_a_body(server):
    for _ in range(5):
        post(server, 7)
    head = (
        "POST /transcribe HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\n"
        "Content-Type: audio/wav\r\nContent-Length: 400000000\r\n\r\n"
    )
    with socket.create_connection(server.address) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 429 ")


def test_requests_side_by_side_have_places(server):
    with in_background() as submit:
        with paused(*server.lanes()):
            waiting = [submit(post, server, 8) for _ in range(2)]
            wait_until(lambda: server.metric("asr_running_requests") == 2, "both in a lane")
            assert_refused(post(server, 8), "concurrent-requests")
            others = submit(post, server, 9)
        assert [each.result().status_code for each in (*waiting, others)] == [200] * 3
    assert post(server, 8).status_code == 200


def test_what_needs_no_work_is_not_limited(server):
    with server.client(headers={"X-Forwarded-For": "192.0.2.1"}) as client:
        for path in ("/healthz", "/metrics", "/v1/models"):
            assert client.get(path).status_code == 200


@pytest.mark.measuring
def test_counts_outlive_a_worker_a_reload_and_a_restart(start):
    with start(ASR_AUDIO_SECONDS_PER_DAY=4, ASR_LANES=1) as server:
        assert server.post(CLIP).status_code == 200
        assert_refused(server.post(CLIP), "audio-day")
        (worker,) = server.workers()
        worker.kill()
        wait_until(lambda: server.workers() not in ([], [worker]) and server.is_ready(), "another worker")
        assert server.post(CLIP).status_code == 429
        (worker,) = server.workers()
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: worker not in server.workers() and server.is_ready(), "the next worker")
        assert server.post(CLIP).status_code == 429
    with start(ASR_AUDIO_SECONDS_PER_DAY=4, ASR_LANES=1) as server:
        assert server.post(CLIP).status_code == 429
        (server.directory / "limits.sqlite").write_bytes(b"damaged")
        assert server.post(CLIP).status_code == 200
        wait_until(lambda: server.post(CLIP).status_code == 429, "counted again", pause=0.5)


@pytest.mark.measuring
def test_the_places_of_a_worker_that_is_killed_are_free_again(start):
    with start(ASR_CONCURRENT_REQUESTS=1, ASR_LANES=1) as server, in_background() as submit:
        (worker,) = server.workers()
        with paused(*server.lanes()):
            lost = submit(server.post, CLIP)
            server.wait_metric(1, "asr_running_requests")
            worker.kill()
        assert lost.exception() is not None
        wait_until(lambda: server.workers() not in ([], [worker]) and server.is_ready(), "another worker")
        wait_until(lambda: server.post(CLIP).status_code == 200, "a free place", pause=0.5)


@pytest.mark.measuring
@pytest.mark.programs("redis-server")
def test_machines_count_together_in_a_redis_and_do_not_wait_for_one_that_stands_still(start, model_directory, tmp_path):
    with redis_server(tmp_path) as (url, redis):
        settings = {"ASR_REDIS_URL": url, "ASR_REQUESTS_PER_MINUTE": 3, "ASR_LANES": 1}
        (tmp_path / "other").mkdir()
        refusing = {**settings, "ASR_LIMITS_UNREACHABLE": "refuse"}
        with start(**settings) as one, running(model_directory, tmp_path / "other", refusing) as other:
            statuses = [server.post(CLIP).status_code for server in (one, other, one, other, one)]
            assert statuses == [200, 200, 200, 429, 429]
            redis.send_signal(signal.SIGSTOP)
            assert one.post(CLIP).status_code == 200
            assert one.metric("asr_limits_unreachable_total") > 0
            refused = other.post(CLIP)
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
            assert refused.json()["type"] == "/problems/limits-unreachable"
            redis.send_signal(signal.SIGCONT)
            wait_until(lambda: one.post(CLIP).status_code == 429, "counted again")


def test_what_the_server_breaks_off_is_given_back(model_directory, tmp_path):
    """Workers are replaced while a recording is at a lane that stands still; their grace is over before it is heard."""
    settings = {"ASR_LANES": "1", "ASR_GRACE_SECONDS": "4", "ASR_AUDIO_SECONDS_PER_DAY": "3600"}
    with running(model_directory, tmp_path, settings) as server, in_background() as submit:
        workers = server.workers()
        with paused(*server.lanes()):
            broken_off = submit(server.post, sentence_of(40))
            wait_until(lambda: server.metric("asr_recordings", state="running"), "a recording under way")
            server.process.send_signal(signal.SIGHUP)
            reply = broken_off.result()
        assert (reply.status_code, reply.json()["type"]) == (503, "/problems/shutting-down")
        wait_until(lambda: not set(server.workers()) & set(workers), "new workers")
        left = re.search(r'"audio-day";r=(\d+)', server.post(CLIP).headers["RateLimit"])
        assert int(left[1]) == 3600 - 3  # those of the clip alone, and a part of a second
