"""Two real servers behind real proxies, as the files in deploy/ have them: what is lost, and what is not."""

import csv
import http.client
from collections import Counter
from contextlib import closing, suppress

import httpx
import pytest
import uvloop

from loadtest.harness.clips import make_clips, padded
from loadtest.harness.processes import PATIENCE, in_background, paused, wait_until
from loadtest.harness.replicas import PROXIES, Proxy, Replicas
from loadtest.replicas import DISTURBANCES, SETTINGS, clips_of, under_load
from tests.samples import CLIPS, sentence_of

pytestmark = [pytest.mark.measuring, pytest.mark.timeout(900)]  # many starts, on a machine that may be busy

NAMASTE = next(path for path in CLIPS if path.stem == "namaste").read_bytes()
ADMITTED = "asr_predicted_wait_seconds_count"
LONG = {"haproxy": 2 << 20, "nginx": 2 << 20, "envoy": 17 << 20}
"""Bytes that the first and the last do not keep."""
PROXY = [pytest.param(name, marks=pytest.mark.programs(name)) for name in PROXIES]


@pytest.fixture(scope="module")
def replicas(model_directory, tmp_path_factory):
    settings = SETTINGS | {"ASR_MAX_QUEUE_SECONDS": "100", "ASR_MAX_UPLOAD_MB": "24"}
    with Replicas(model_directory, tmp_path_factory.mktemp("replicas"), settings) as replicas:
        yield replicas


@pytest.fixture(scope="module", params=PROXY)
def proxy(request, replicas, tmp_path_factory):
    with Proxy(request.param, replicas, tmp_path_factory.mktemp(request.param)) as proxy:
        proxy.name = request.param
        yield proxy


@pytest.fixture(scope="module")
def clips(pipeline):
    return make_clips(lambda data: pipeline.transcribe(data).text, [1.0, 1.5, 2.0, 2.5])


@pytest.mark.programs("haproxy")
def test_haproxy_learns_the_weight(replicas, tmp_path_factory):
    """The first of this file: a proxy of the others keeps its address until the last of them."""
    server = replicas.servers[0]
    with Proxy("haproxy", replicas, tmp_path_factory.mktemp("weight")) as haproxy:

        def weight():
            rows = csv.DictReader(haproxy.ask("show stat").removeprefix("# ").splitlines())
            (row,) = [row for row in rows if (row["pxname"], row["svname"]) == ("servers", "first")]
            return int(row["weight"])

        wait_until(lambda: weight() == 100, "the whole weight of an idle server")
        with in_background() as submit:
            with paused(*server.lanes()):
                for _ in range(10):
                    submit(server.post, sentence_of(14))
                wait_until(lambda: 0 < weight() < 100, "less weight while there is a queue")
            wait_until(lambda: weight() == 100, "all of it again")


@pytest.mark.parametrize("disturb", DISTURBANCES.values(), ids=DISTURBANCES)
def test_nothing_is_lost_but_what_is_cut(replicas, proxy, clips, disturb):
    verdict = uvloop.run(under_load(proxy.address, clips_of(clips), replicas, disturb))
    assert not verdict.lost, verdict


def test_who_sends_again_what_a_dead_server_had(replicas, proxy, clips):
    """HAProxy and Envoy what fits into their buffers, nginx everything."""
    first, second = replicas.servers

    def post(clip):
        with suppress(httpx.TransportError):
            reply = httpx.post(f"{proxy.url}/transcribe", content=clip.data, timeout=PATIENCE)
            return reply.json()["text"] if reply.status_code == 200 else None

    def admitted():
        return [server.metric(ADMITTED) for server in replicas.servers]

    before, asked = admitted(), []
    long = padded(clips[0], LONG[proxy.name])
    with in_background() as submit, paused(*first.lanes(), *second.lanes()):
        for chosen in ([long] * 10, clips * 3):
            asked += [(clip, submit(post, clip)) for clip in chosen]
            goal = sum(before) + len(asked)
            wait_until(lambda: sum(admitted()) == goal, "all admitted")  # noqa: B023 - called here
        had = admitted()[0] - before[0]
        assert 0 < had < len(asked)
        replicas.kill(0)
    wrong = [clip for clip, answer in asked if answer.result() != clip.text]
    replicas.start_again(0)
    if proxy.name == "nginx":
        assert not wrong
    else:
        assert 0 < len(wrong) <= had
        assert all(clip is long for clip in wrong)


def test_an_early_answer_comes_through(proxy):
    """The answer to a body that is too long may come while the proxy still sends it."""
    reply = httpx.post(f"{proxy.url}/transcribe", content=bytes(40 << 20), timeout=PATIENCE)
    assert (reply.status_code, b"/problems/" in reply.content) == (413, True)


def test_each_client_is_itself(replicas, proxy):
    def post(source, claimed):
        with closing(http.client.HTTPConnection(*proxy.address, PATIENCE, (source, 0))) as connection:
            connection.request("POST", "/transcribe", NAMASTE, {"X-Request-ID": "call-1", **claimed})
            reply = connection.getresponse()
            return reply.status, reply.getheader("X-Request-ID")

    def clients():
        lines = [line for server in replicas.servers for line in server.logged("request")]
        return Counter(line["client"] for line in lines if line["path"] == "/transcribe")

    before, sources = clients(), ("127.0.0.2", "127.0.0.3")
    for source in sources:
        for claimed in ({}, {"X-Forwarded-For": "192.0.2.1"}, {"Forwarded": "for=192.0.2.1"}):
            assert post(source, claimed) == (200, "call-1")
    wait_until(lambda: clients() - before == dict.fromkeys(sources, 3), "each under its own address")


def test_events_come_as_they_are_sent(replicas, proxy):
    lanes = [lane for server in replicas.servers for lane in server.lanes()]
    fields = {"files": {"file": ("a.wav", NAMASTE)}, "data": {"model": "whisper-1", "stream": "true"}}
    asking = httpx.stream("POST", f"{proxy.url}/v1/audio/transcriptions", timeout=PATIENCE, **fields)
    with paused(*lanes), asking as reply:
        lines = reply.iter_lines()
        assert next(lines) == ": still at it"
        for lane in lanes:
            lane.resume()
        assert any("transcript.text.done" in line for line in lines)
