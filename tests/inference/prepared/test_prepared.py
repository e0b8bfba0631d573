"""Graphs prepared for this machine: the same function, made once, whole or not at all."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from inference.cli.main import main
from inference.errors import PackageError
from inference.loading import load
from inference.package import load_package
from inference.prepared import prepare as prepared
from inference.prepared import rewriting
from inference.recogniser import OnnxRecogniser, SessionOptions
from tests.samples import CLIPS


@pytest.fixture
def package(model_directory):
    return load_package(model_directory)


def test_same_to_the_last_bit_where_nothing_is_rewritten(package, tmp_path, monkeypatch):
    monkeypatch.setattr(rewriting, "rewrite_apart", lambda *_: "not today")
    original = OnnxRecogniser(package.model_path(), SessionOptions())
    ready = OnnxRecogniser(prepared.prepare(package, None, tmp_path), SessionOptions())
    for frames in (11, 100, 999):
        features = np.random.default_rng(frames).normal(size=(80, frames)).astype(np.float32)
        np.testing.assert_array_equal(ready(features), original(features))


def test_made_once_however_many_ask(package, tmp_path, monkeypatch):
    made = []
    make = prepared.make
    monkeypatch.setattr(prepared, "make", lambda *arguments: (made.append(arguments), make(*arguments)))
    with ThreadPoolExecutor(4) as executor:
        paths = set(executor.map(lambda _: prepared.prepare(package, None, tmp_path), range(4)))
    assert len(paths) == len(made) == 1


def test_another_processor_gets_its_own(package, tmp_path, monkeypatch):
    first = prepared.prepare(package, None, tmp_path)
    monkeypatch.setattr(prepared, "_processor", lambda: "another")
    assert prepared.prepare(package, None, tmp_path) != first


def test_another_way_of_rewriting_gets_its_own(package, tmp_path, monkeypatch):
    first = prepared.prepare(package, None, tmp_path)
    monkeypatch.setattr(rewriting, "VERSION", rewriting.VERSION + 1)
    assert prepared.prepare(package, None, tmp_path) != first


def test_what_was_made_for_any_processor_serves_where_the_cache_cannot_be_written(package, tmp_path, library_texts):
    assert main(["prepare", str(package.directory), "--cache", str(tmp_path)]) == 0
    before = sorted(tmp_path.iterdir())
    (tmp_path / "lock").unlink()
    (tmp_path / "lock").mkdir()  # root may write everywhere, but no directory
    loaded = load(package, SessionOptions(), cache=tmp_path)
    assert loaded.prepared
    assert loaded.warnings == ()
    assert sorted(tmp_path.iterdir()) == before
    assert loaded.transcribe(CLIPS[0].read_bytes()).text == library_texts[CLIPS[0]]


def test_nothing_is_left_of_a_try_that_failed(package, tmp_path, monkeypatch):
    monkeypatch.setattr(prepared, "_WEIGHTS", "no/such/directory")
    with pytest.raises(PackageError, match=r"no.such.directory"):
        prepared.prepare(package, None, tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


LOADER = """
import sys
from pathlib import Path
from inference.loading import load
from inference.package import load_package
loaded = load(load_package(Path(sys.argv[1])), precision="fp32", cache=Path(sys.argv[2]))
rollup = Path("/proc/self/smaps_rollup").read_text().splitlines()
print(next(int(line.split()[1]) for line in rollup if line.startswith("Pss_Anon:")) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says")
def test_a_process_that_prepared_the_graph_keeps_no_more_memory_than_others(model_directory, tmp_path):
    command = [sys.executable, "-c", LOADER, str(model_directory), str(tmp_path / "cache")]
    prepares, loads = (int(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(2))
    assert prepares < loads + 15  # MiB; 40 without giving it back
