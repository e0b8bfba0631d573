"""The servers compared: each starts, and hears what the library hears; a small run of all that is measured."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import uvloop

from benchmarks import contestants, fairness, picture, quantised, server_goals, serving, tables
from benchmarks.accuracy import Texts
from benchmarks.clips import pieces
from benchmarks.closed_loop import one_by_one
from benchmarks.entrants import Subject
from benchmarks.served import NotServing, Served
from benchmarks.wire import websocket_message
from inference.package import load_package
from tests.samples import CLIPS, encode, tone

PEERS = Path(os.environ.get("BENCH_SERVERS_PYTHON", ".venv-servers/bin/python")).absolute()
INSTALLED = pytest.mark.skipif(not PEERS.exists(), reason="no .venv-servers: `make bench` makes it")

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def package(model_directory):
    return load_package(model_directory)


def heard(contestant, scratch):
    with Served(contestant, scratch / "server.log") as server:
        return uvloop.run(one_by_one(server, [server.message(clip.read_bytes()) for clip in CLIPS]))[0]


def test_the_original_design(package, library_texts, tmp_path):
    assert heard(contestants.original(package.directory), tmp_path) == list(library_texts.values())


def first(servers, name):
    return next(settings[0] for settings in servers if settings[0].name == name)


def test_the_thread_pool(package, library_texts, tmp_path):
    servers = contestants.everybody(Subject(package, None, None), Path(sys.executable), 2)
    assert heard(first(servers, contestants.THREAD_POOL), tmp_path) == list(library_texts.values())


@INSTALLED
@pytest.mark.parametrize("name", [contestants.LITSERVE, contestants.SHERPA])
def test_servers_in_an_environment_of_their_own(package, library_texts, name, tmp_path):
    servers = contestants.everybody(Subject(package, None, None), PEERS, 1)
    assert heard(first(servers, name), tmp_path) == list(library_texts.values())


@INSTALLED
@pytest.mark.parametrize("name", [contestants.THREAD_POOL, contestants.LITSERVE, contestants.SHERPA])
def test_servers_with_an_int8_graph(package, name, tmp_path):
    peers = quantised.make(package, tmp_path)
    servers = contestants.everybody(Subject(package, peers, None), PEERS, 1)
    assert all(heard(first(servers, contestants.int8(name)), tmp_path))


def test_a_server_that_cannot_start_says_why(tmp_path):
    nothing = contestants.Contestant("nothing", "", [sys.executable, "-c", "raise SystemExit('no model')"])
    with pytest.raises(NotServing, match="no model"), Served(nothing, tmp_path / "server.log"):
        pass


def test_servers_take_turns(package, tmp_path):
    command = [sys.executable, "-c", "raise SystemExit('no model')"]
    broken = contestants.Contestant("broken", "", command)
    servers = [*contestants.everybody(Subject(package, None, None), None, 1), [broken]]
    load = serving.Load(pieces(CLIPS, 1.0, 2), 1.0, clients=2, seconds=0.5, alone=2)
    compared = serving.compare(servers, load, 2, tmp_path)
    assert [turns.wrong for turns in compared.turns.values()] == [0, 0, 0]
    assert "no model" in compared.broken["broken"]
    assert all(rate > 0 for turns in compared.turns.values() for rate in turns.rates)
    assert compared.turns[contestants.OURS_FP32].computes == "fp32"
    table = tables.servers(compared)
    assert f"| this server | its defaults, computes {compared.turns[contestants.OURS].computes} |" in table
    assert "| the original design | its defaults |" in table
    text = server_goals.of_server(None, Texts(), compared, None, None)
    assert "| this server ÷ the original design, full load | ≥ 1.5 |" in text
    assert "| fp32 ÷ fp32: the original design, full load |  |" in text
    picture.servers(compared, tmp_path / "servers.png", "servers")
    assert (tmp_path / "servers.png").stat().st_size > 1000


def test_the_comparison_is_in_vain_without_ours(tmp_path):
    ours = contestants.Contestant(contestants.OURS, "", [sys.executable, "-c", ""])
    with pytest.raises(NotServing, match="this server"):
        serving.compare([[ours]], serving.Load([], 1.0), 1, tmp_path)


def test_fairness(package, tmp_path):
    flood = fairness.Flood(pieces(CLIPS, 0.5, 1), pieces(CLIPS, 2.0, 1), clients=2, seconds=0.5)
    waits = fairness.measure(contestants.this_server(package.directory), flood, 1, tmp_path)
    assert waits.wrong == 0
    assert len(waits.fair) == len(waits.one_client) == 1
    assert "| fair, two clients |" in tables.fairness(waits)


def test_the_message_of_sherpa_onnx():
    message = websocket_message(encode(tone(0.1), subtype="FLOAT"))
    rate, size = np.frombuffer(message[:8], dtype="<i4")
    assert (rate, size) == (16_000, len(message) - 8)
    assert np.allclose(np.frombuffer(message[8:], dtype="<f4"), tone(0.1), atol=1e-6)
