"""Recordings: whole, right, in turn with others, and nothing of them left when they end early."""

import signal
import socket

import numpy as np
import pytest

from inference.types import AudioLimits
from loadtest.harness.processes import in_background, paused, wait_until
from loadtest.harness.tape import RATE, make_tape, read_spoken
from loadtest.recording import is_spoken, words_wrong
from tests.end_to_end.conftest import running
from tests.samples import CLIPS, encode, sentence_of

NAMASTE = next(path for path in CLIPS if path.stem == "namaste").read_bytes()
TAPE = make_tape(read_spoken(), 70.0, ("silence", "noise"), seed=3)
LONG = TAPE.of(TAPE.samples, 40.0)
ENDLESS = sentence_of(110)
"""So long that its decoder waits for the lanes."""


@pytest.fixture(scope="module")
def server(model_directory, tmp_path_factory):
    settings = {"ASR_MAX_AUDIO_SECONDS": "120", "ASR_TRUSTED_PROXIES": "127.0.0.1"}
    with running(model_directory, tmp_path_factory.mktemp("recording"), settings) as server:
        yield server


@pytest.fixture(autouse=True)
def nothing_is_left(server):
    """However a recording ends."""
    yield
    wait_until(lambda: not server.decoders(), "decoders gone")
    server.wait_metric(0, "asr_windows")
    server.wait_metric(0, "asr_recordings")
    server.wait_idle()
    server.wait_metric(2, "asr_lanes", state="ready")


@pytest.mark.usefixtures("spoken_texts")
@pytest.mark.parametrize(("suffix", "worse"), [("wav", 2), ("opus", 4)])  # percent of the words
def test_all_of_it_is_heard_and_nothing_more(server, tmp_path, suffix, worse):
    reply = server.post(TAPE.write(tmp_path / f"tape.{suffix}").read_bytes()).json()
    said = " ".join(stretch.text for stretch in TAPE.spoken)
    alone = [server.post(TAPE.cut(stretch)).json()["text"] for stretch in TAPE.spoken]
    assert words_wrong([(said, reply["text"])]) <= words_wrong([(said, " ".join(alone))]) + worse
    assert reply["duration"] == pytest.approx(TAPE.seconds, abs=0.1)
    assert reply["clipped"] is False
    segments = reply["segments"]
    assert reply["text"] == " ".join(segment["text"] for segment in segments)
    assert all(is_spoken(TAPE, segment) for segment in segments)
    times = [time for segment in segments for time in (segment["start"], segment["end"])]
    assert times == sorted(times)
    assert set(reply["processing"]) >= {"queue", "decode", "inference", "total"}


def test_a_decoder_waits_for_the_next_recording_and_ends_with_the_worker(start):
    with start() as server:
        assert server.decoders(waiting=True) == []
        text = server.post(LONG).json()["text"]
        (waiting,) = server.decoders(waiting=True)
        assert server.post(LONG).json()["text"] == text
        (another,) = server.decoders(waiting=True)
        assert not waiting.is_running()
        another.kill()
        assert server.post(LONG).json()["text"] == text
        (last,) = server.decoders(waiting=True)
    assert not last.is_running()


def test_windows_that_share_sound_are_divided_by_words_that_nobody_asked_for(start, pipeline):
    sound = TAPE.of(TAPE.samples, 20.0)
    whole = pipeline.transcribe(sound, AudioLimits(window_seconds=5, detect_speech=False))
    with start(ASR_WINDOW_SECONDS=5, ASR_DETECT_SPEECH="false", ASR_LANES=1) as server:
        reply = server.post(sound).json()
    assert [each["text"] for each in reply["segments"]] == [each.text for each in whole.segments]


def test_channels_apart(server):
    left, right = (TAPE.samples[: 20 * RATE], TAPE.samples[-20 * RATE :])
    stereo = encode(np.stack([left, right], 1))

    def ask(channels):
        with server.client() as client:
            return client.post("/transcribe", params={"channels": channels}, content=stereo)

    alone = [server.post(TAPE.of(samples, 20.0)).json()["text"] for samples in (left, right)]
    for channels in ("separate", "1,0"):
        segments = ask(channels).json()["segments"]
        assert [each["start"] for each in segments] == sorted(each["start"] for each in segments)
        heard = [" ".join(each["text"] for each in segments if each["channel"] == number) for number in (0, 1)]
        assert heard == alone
    assert {each["channel"] for each in ask("1").json()["segments"]} == {1}
    assert {each["channel"] for each in ask("mix").json()["segments"]} == {None}
    assert ask("left").json()["type"] == "/problems/invalid-request"
    assert ask("2").json()["type"] == "/problems/unavailable-option"


def test_longer_than_is_taken(server):
    reply = server.post(sentence_of(121))
    assert (reply.status_code, reply.json()["type"]) == (422, "/problems/audio-too-long")


def test_one_that_takes_longer_than_its_client_waits_is_refused_before_it_is_decoded(server):
    reply = server.post(ENDLESS, X_Request_Timeout="0.05")
    assert (reply.status_code, reply.json()["type"]) == (429, "/problems/overloaded")
    assert "its deadline is 0.05 s away" in reply.json()["detail"]


def test_a_lane_that_dies_costs_one_window_a_second_try(server):
    expected = server.post(LONG).json()["text"]
    retried = server.metric("asr_retried_requests_total")
    with in_background() as submit:
        lanes = server.lanes()
        with paused(*lanes):
            reply = submit(server.post, LONG)
            server.wait_metric(2, "asr_running_requests")
            lanes[0].kill()
        assert reply.result().json()["text"] == expected
    assert server.metric("asr_retried_requests_total") == retried + 1


def test_a_client_that_leaves(server):
    heard = server.metric("asr_audio_seconds_total")
    with paused(*server.lanes()):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(b"POST /transcribe HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % len(ENDLESS))
            connection.sendall(ENDLESS)
            server.wait_metric(3, "asr_windows")
            assert server.decoders()
            assert server.metric("asr_recordings", state="running") == 1
        wait_until(lambda: not server.decoders(), "the decoder gone")
        server.wait_metric(0, "asr_windows")
    server.wait_idle()
    assert server.metric("asr_audio_seconds_total") == heard
    assert server.post(NAMASTE).status_code == 200


def test_a_decoder_that_dies_fails_the_recording_alone(server):
    with in_background() as submit:
        with paused(*server.lanes()):
            reply = submit(server.post, ENDLESS)
            wait_until(server.decoders, "a decoder")[0].kill()
        assert (reply.result().status_code, reply.result().json()["type"]) == (500, "/problems/decoder-died")
    assert server.post(NAMASTE).status_code == 200


def test_a_deadline_ends_all_of_it(server):
    missed = server.metric("asr_deadlines_missed_total")
    with paused(*server.lanes()):
        reply = server.post(sentence_of(20), X_Request_Timeout="4")  # more than a slow machine is predicted to take
        assert (reply.status_code, reply.json()["type"]) == (504, "/problems/deadline-exceeded")
        assert not server.decoders()
    assert server.metric("asr_deadlines_missed_total") == missed + 1


@pytest.mark.measuring
def test_two_workers_and_sigterm_in_the_middle(start, server):
    """Windows are done wherever a lane is free; what is under way is finished, and what is not says so."""
    expected = server.post(LONG).json()["text"]
    with start(ASR_WORKERS=2, ASR_LANES=1) as shared, in_background() as submit:
        shared.wait_metric(2, "asr_lanes", state="ready")
        with paused(*shared.lanes()):
            reply = submit(shared.post, LONG)
            shared.wait_metric(2, "asr_running_requests")
            for process in shared.tree():  # as a service manager does
                process.send_signal(signal.SIGTERM)
            wait_until(lambda: not shared.is_ready(), "readiness off")
        assert reply.result().json()["text"] == expected
        assert shared.process.wait(120) == 0
