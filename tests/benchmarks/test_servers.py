"""The servers compared: each starts, and hears what the library hears; a small run of all that is measured."""

import os
import sys
from pathlib import Path

import pytest
import uvloop

from benchmarks import quantised
from benchmarks.page import Report
from benchmarks.servers.asking import Served, hear
from benchmarks.servers.comparison import Load, compare
from benchmarks.servers.roster import ORIGINAL, OURS, Contestant, everybody
from benchmarks.subject import Subject
from inference.package import load_package
from loadtest.harness.clips import make_clips
from loadtest.harness.server import ServerFailed
from tests.samples import CLIPS

PEERS = Path(os.environ.get("BENCH_SERVERS_PYTHON", ".venv-servers/bin/python")).absolute()
INSTALLED = pytest.mark.skipif(not PEERS.exists(), reason="no .venv-servers: `make bench` makes it")
SHERPA, THREAD_POOL, LITSERVE = "sherpa-onnx's C++ server", "onnx-asr, FastAPI's thread pool", "onnx-asr, LitServe"

pytestmark = [pytest.mark.measuring, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def package(model_directory):
    return load_package(model_directory)


def heard(servers, name, scratch):
    """What a server hears in the sample clips, with the first of its settings."""
    contestant = next(settings[0] for settings in servers if settings[0].name == name)

    async def ask(server):
        with server.client() as client:
            return [await hear(client, clip.read_bytes()) for clip in CLIPS]

    with Served(contestant, scratch / "server.log") as server:
        return uvloop.run(ask(server))


@pytest.mark.parametrize("name", [OURS, ORIGINAL, THREAD_POOL])
def test_servers_in_this_environment(package, library_texts, name, tmp_path):
    servers = everybody(Subject(package, None), Path(sys.executable), 2)
    assert heard(servers, name, tmp_path) == list(library_texts.values())


@INSTALLED
@pytest.mark.parametrize("name", [LITSERVE, SHERPA])
def test_servers_in_an_environment_of_their_own(package, library_texts, name, tmp_path):
    servers = everybody(Subject(package, None), PEERS, 1)
    assert heard(servers, name, tmp_path) == list(library_texts.values())


@INSTALLED
@pytest.mark.parametrize("name", [THREAD_POOL, LITSERVE, SHERPA])
def test_servers_with_an_int8_graph(package, name, tmp_path):
    servers = everybody(Subject(package, quantised.make(package, tmp_path)), PEERS, 1)
    assert all(heard(servers, f"{name}, int8", tmp_path))


def test_a_server_that_cannot_start_says_why(tmp_path):
    nothing = Contestant("nothing", "", [sys.executable, "-c", "raise SystemExit('no model')"])
    with pytest.raises(ServerFailed, match="no model"), Served(nothing, tmp_path / "server.log"):
        pass


def test_servers_take_turns(package, tmp_path, capsys):
    broken = Contestant("broken", "", [sys.executable, "-c", "raise SystemExit('no model')"])
    servers = [*everybody(Subject(package, None), None, 1), [broken]]
    load = Load(make_clips(lambda _: "", [1.0, 1.0]), clients=2, seconds=2)
    turns, lost = compare(servers, load, 2, tmp_path)
    assert list(turns) == [OURS, f"{OURS}, fp32", ORIGINAL]
    assert "no model" in lost["broken"]
    assert all(rate > 0 for found in turns.values() for rate in found.rates)
    Report(1.0, None, "model").servers(turns)
    assert "  the original design: " in capsys.readouterr().out


def test_the_comparison_is_in_vain_without_ours(tmp_path):
    ours = Contestant(OURS, "", [sys.executable, "-c", ""])
    with pytest.raises(ServerFailed, match="this server"):
        compare([[ours]], Load([]), 1, tmp_path)
