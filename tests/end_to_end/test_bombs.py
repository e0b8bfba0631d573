"""Hours of audio in a few megabytes: decoded as far as they are wanted, and by no lane any further."""

import numpy as np
import pytest

from tests.samples import encode

HOUR = 3600


@pytest.fixture(scope="module")
def bombs():
    """Hours of silence, by container and length."""
    silence = np.zeros(HOUR * 16_000, dtype=np.int16)
    flac = encode(silence, container="FLAC")
    return {
        "flac": encode(np.concatenate([silence] * 2), container="FLAC"),
        "flac hour": flac,
        "opus": encode(silence[: 900 * 16_000], container="OGG", subtype="OPUS"),
    }


def lane_seconds(server):
    return sum(sum(lane.cpu_times()[:2]) for lane in server.lanes())


@pytest.mark.measuring
def test_two_hours_cost_what_ten_seconds_cost(start, bombs):
    with start(ASR_LANES=1, ASR_OVERLENGTH="clip", ASR_HANG_SECONDS=30) as server:
        spent = {}
        for name, bomb in bombs.items():
            before = lane_seconds(server)
            reply = server.post(bomb)
            spent[name] = lane_seconds(server) - before
            assert reply.status_code == 200, (name, reply.text)
            assert reply.json()["clipped"], name
            assert reply.json()["duration"] > 890, name
        assert server.metric("asr_lane_restarts_total") == 0
        assert server.metric("asr_audio_seconds_total") == pytest.approx(10 * len(bombs), abs=0.5)
    # Reading ten seconds out of two hours takes no longer than out of one; all of it would take some five.
    assert spent["flac"] < 4 * spent["flac hour"] + 1


@pytest.mark.measuring
def test_refused_before_its_end_too(start, bombs):
    with start(ASR_LANES=1, ASR_OVERLENGTH="reject") as server:
        before = lane_seconds(server)
        reply = server.post(bombs["flac"])
        assert (reply.status_code, reply.json()["type"]) == (422, "/problems/audio-too-long")
        assert lane_seconds(server) - before < 5
        assert server.metric("asr_lane_restarts_total") == 0
