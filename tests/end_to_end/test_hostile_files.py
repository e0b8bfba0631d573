"""Whatever is wrong with a file of any kind: an answer with a reason, never a 5xx, and the lanes live on."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.inference.audio.fuzz import mutated
from tests.inference.audio.kinds import files_of_every_kind

FILES = files_of_every_kind()
CLIENTS = 4
MOST_MEBIBYTES = 400  # of a lane, above what it takes for valid files


def damaged(data, seed):
    """A file without its end or with random bytes behind its head, and one with a head that lies or damage anywhere."""
    rubbish = np.random.default_rng(seed).bytes(20_000)
    if seed % 2:
        return data[: len(data) // 2], data[:20] + rubbish[:8] + data[28:]
    return data[:64] + rubbish, mutated(data, random.Random(seed))


def check(reply, name):
    assert reply.status_code in (200, 415, 422), (name, reply.text)
    assert reply.status_code == 200 or len(reply.json()["detail"]) > 10, name


@pytest.mark.measuring
def test_no_damage_is_a_failure_of_the_server(start):
    with start(ASR_LANES=1) as server:
        (lane,) = server.lanes()
        answers = Counter()
        for seed, (name, data) in enumerate(FILES.items()):
            for file in damaged(data, seed):
                reply = server.post(file)
                answers[reply.status_code] += 1
                check(reply, name)
        assert answers[422] > answers[200] > 5
        assert server.lanes() == [lane]
        assert server.metric("asr_lane_restarts_total") == 0


@pytest.mark.measuring
@pytest.mark.timeout(900)  # a minute or so; however slow a machine is
@pytest.mark.parametrize(("overlength", "inputs"), [("clip", 1500), ("window", 500)])
def test_two_thousand_mutated_files(start, overlength, inputs):
    """As `make fuzz`, through the whole server: most as clips, some as recordings (three files joined, of 6 s)."""
    names = sorted(FILES)
    files = {name: FILES[name] * (1 if overlength == "clip" else 3) for name in names}
    with start(ASR_OVERLENGTH=overlength, ASR_WINDOW_SECONDS=5) as server, server.client() as client:
        lanes = server.lanes()
        for name in names:  # what lanes load late, and all memory that honest files take
            assert client.post("/transcribe", content=files[name]).status_code == 200, name
        before = [lane.memory_info().rss for lane in lanes]

        def send(number):
            name = names[number % len(names)]
            reply = client.post("/transcribe", content=mutated(files[name], random.Random(f"1/{number}")))
            check(reply, (number, name))
            return reply.status_code

        with ThreadPoolExecutor(CLIENTS) as clients:
            answers = Counter(clients.map(send, range(inputs)))
        assert answers[200] > 50
        assert answers[422] > 50
        assert server.lanes() == lanes
        assert server.metric("asr_lane_restarts_total") == 0
        grown = [lane.memory_info().rss - least for lane, least in zip(lanes, before, strict=True)]
        assert max(grown) < MOST_MEBIBYTES * 2**20
