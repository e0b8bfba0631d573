"""The cache of what was prepared: packages side by side, nothing left behind, nothing deleted that was whole."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inference.errors import DamagedCache, PackageError
from inference.loading import load
from inference.package import GraphFile, PackageFile, load_package
from inference.prepared.cache import made_once, reading
from tests.samples import CLIPS

DAY = 24 * 3600


@pytest.fixture
def package(model_directory):
    return load_package(model_directory)


def entries(cache):
    return {path.name: path.stat().st_ino for path in cache.glob("*/")}


def make(directory):
    (directory / "file").write_text("whole")


def test_mending_one_package_leaves_those_whose_names_begin_alike(package, tmp_path):
    """`hi` and `hi-demo`, of other weights."""
    load(package, precision="fp32", cache=tmp_path)
    before = entries(tmp_path)
    other = dataclasses.replace(package, name="hi", models={"fp32": GraphFile("model.onnx", "0" * 64)})
    load(other, precision="fp32", cache=tmp_path)
    (new,) = entries(tmp_path).keys() - before.keys()
    (tmp_path / new / "model.onnx").write_bytes(b"no graph")
    assert load(other, precision="fp32", cache=tmp_path).prepared
    assert before.items() <= entries(tmp_path).items()


def test_packages_of_the_same_weights_share(package, tmp_path):
    load(package, precision="fp32", cache=tmp_path)
    before = entries(tmp_path)
    load(dataclasses.replace(package, name="another"), precision="fp32", cache=tmp_path)
    assert entries(tmp_path) == before


def test_a_damaged_package_costs_no_cache(package, tmp_path):
    load(package, precision="fp32", cache=tmp_path)
    before = entries(tmp_path)
    with pytest.raises(PackageError, match="counting up"):
        load(dataclasses.replace(package, vocabulary=PackageFile("model.yaml", "")), precision="fp32", cache=tmp_path)
    assert entries(tmp_path) == before


def test_what_nobody_has_used_for_a_month_goes_when_something_is_made(tmp_path):
    used, unused, recent = (made_once(tmp_path, "graph", key, make) for key in ("used", "unused", "recent"))
    for entry, days in ((used, 31), (unused, 31), (recent, 29)):
        os.utime(entry, (time.time() - days * DAY,) * 2)
    assert made_once(tmp_path, "graph", "used", make) == used
    assert unused.exists()
    made_once(tmp_path, "graph", "new", make)
    assert not unused.exists()
    assert used.exists()
    assert recent.exists()


def read_in_vain(entry, meanwhile=lambda: None):
    with reading(entry):
        meanwhile()
        raise PackageError("damaged")


def test_what_another_process_has_made_anew_stays(tmp_path):
    entry = made_once(tmp_path, "graph", "key", make)

    def another_process():
        with pytest.raises(DamagedCache):
            read_in_vain(entry)
        assert not entry.exists()
        made_once(tmp_path, "graph", "key", make)

    with pytest.raises(DamagedCache):
        read_in_vain(entry, another_process)
    assert (entry / "file").read_text() == "whole"


def test_an_entry_that_another_process_has_just_removed(tmp_path):
    with pytest.raises(DamagedCache), reading(tmp_path / "entry"):
        pass
    entry = made_once(tmp_path, "graph", "key", make)
    with pytest.raises(DamagedCache), reading(entry):
        (entry / "gone").read_text()


def test_a_cache_that_holds_all_is_only_read(package, tmp_path):
    load(package, cache=tmp_path)
    (tmp_path / "lock").unlink()
    assert load(package, cache=tmp_path).prepared
    assert not (tmp_path / "lock").exists()


LOADER = """
import sys
from pathlib import Path
from inference.loading import load
from inference.package import load_package
loaded = load(load_package(Path(sys.argv[1])), cache=Path(sys.argv[2]))
print(loaded.transcribe(Path(sys.argv[3]).read_bytes()).text, loaded.prepared, *loaded.warnings, sep="\\n")
"""


def children_of(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def lives(pid):
    """Whether it is a process and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition):
    end = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_killed_while_it_prepares_leaves_nothing(model_directory, tmp_path):
    command = [sys.executable, "-c", LOADER, model_directory, tmp_path, CLIPS[0]]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as maker:
        (rewriting,) = wait_until(lambda: maker.poll() is None and children_of(maker.pid))
        maker.send_signal(signal.SIGKILL)
    wait_until(lambda: not lives(rewriting))
    assert any(path.is_dir() for path in tmp_path.iterdir())  # it was at work
    assert list(tmp_path.glob("*/*")) == []  # the other process did not go on without it
    load(load_package(model_directory), cache=tmp_path)
    assert all(path.suffix == ".prepared" or path.name == "lock" for path in tmp_path.iterdir())


@pytest.fixture
def small_disk(tmp_path):
    """A file system that the weights do not fit on."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no permission to mount a small disk here")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.programs("mount", "umount")
def test_a_full_disk(model_directory, library_texts, small_disk):
    command = [sys.executable, "-c", LOADER, model_directory, small_disk, CLIPS[0]]
    text, prepared, *warnings = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert (text, prepared) == (library_texts[CLIPS[0]], "False")
    assert "No space left on device" in warnings[-1]
    assert [path.name for path in small_disk.iterdir()] == ["lock"]
