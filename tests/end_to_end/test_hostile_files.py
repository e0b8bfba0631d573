"""Whatever is wrong with a file of any kind: an answer with a reason, never a 5xx, and the lane lives on."""

import random
from collections import Counter

import numpy as np

from tests.inference.audio.fuzz import mutated
from tests.inference.audio.kinds import files_of_every_kind

FILES = files_of_every_kind()


def damaged(data, seed):
    """A file without its end or with random bytes behind its head, and one with a head that lies or damage anywhere."""
    rubbish = np.random.default_rng(seed).bytes(20_000)
    if seed % 2:
        return data[: len(data) // 2], data[:20] + rubbish[:8] + data[28:]
    return data[:64] + rubbish, mutated(data, random.Random(seed))


def test_no_damage_is_a_failure_of_the_server(start):
    with start(ASR_LANES=1) as server:
        send_all(server)


def send_all(server):
    (lane,) = server.lanes()
    answers = Counter()
    for seed, (name, data) in enumerate(FILES.items()):
        for file in damaged(data, seed):
            reply = server.post(file)
            answers[reply.status_code] += 1
            assert reply.status_code in (200, 415, 422), (name, reply.text)
            assert reply.status_code == 200 or len(reply.json()["detail"]) > 10, name
    assert answers[422] > answers[200] > 5
    assert server.lanes() == [lane]
    assert server.metric("asr_lane_restarts_total") == 0
