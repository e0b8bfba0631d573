"""Limits of nested control groups, on trees of files as systems of each kind have them, and on a real group."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from inference.control_groups import Limit, memory_limit, processor_limit
from inference.machine import usable_cpus, usable_memory

V2 = "30 24 0:26 {mounted} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"
V1 = "35 32 0:31 {mounted} /sys/fs/cgroup/{name} rw,nosuid - cgroup cgroup rw,{name}"
MIB = 2**20


@pytest.fixture
def system(tmp_path):
    """Write a system's files: what its groups are called, what is mounted, and the files of groups."""

    def system(cgroup, mounts, files):
        content = {"proc/self/cgroup": cgroup, "proc/self/mountinfo": "\n".join(mounts)}
        for name, text in (content | {f"sys/fs/cgroup/{name}": text for name, text in files.items()}).items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")
        return tmp_path

    return system


def test_a_service_of_systemd(system):
    """The quota lies on the service's own group, not on the root."""
    files = {"system.slice/cpu.max": "max 100000", "system.slice/asr.service/cpu.max": "150000 100000"}
    root = system("0::/system.slice/asr.service", [V2.format(mounted="/")], files)
    assert processor_limit(root) == Limit(1.5, "/system.slice/asr.service")


def test_the_least_on_the_way_up_counts(system):
    files = {
        "a/cpu.max": "200000 100000",
        "a/b/cpu.max": "400000 100000",
        "a/b/c/cpu.max": "max 100000",
        "other/cpu.max": "10000 100000",
        "a/memory.max": str(3 * MIB),
        "a/b/memory.max": "max",
        "a/b/c/memory.max": str(5 * MIB),
    }
    root = system("0::/a/b/c", [V2.format(mounted="/")], files)
    assert processor_limit(root) == Limit(2, "/a")
    assert memory_limit(root) == Limit(3 * MIB, "/a")


@pytest.mark.parametrize("mounted", ["/", "/../../.."])
def test_a_container_that_sees_its_group_as_the_root(system, mounted):
    files = {"cpu.max": "50000 100000", "memory.max": str(MIB)}
    root = system("0::/", [V2.format(mounted=mounted)], files)
    assert processor_limit(root) == Limit(0.5, "/")
    assert memory_limit(root) == Limit(MIB, "/")


def test_a_process_moved_out_of_its_namespace(system):
    root = system("0::/../other", [V2.format(mounted="/")], {"cpu.max": "50000 100000"})
    assert processor_limit(root).amount == 0.5


def test_version_1_with_a_tree_for_each_controller(system):
    files = {
        "cpu,cpuacct/cpu.cfs_quota_us": "-1",
        "cpu,cpuacct/cpu.cfs_period_us": "100000",
        "cpu,cpuacct/a/cpu.cfs_quota_us": "300000",
        "cpu,cpuacct/a/cpu.cfs_period_us": "100000",
        "cpu,cpuacct/a/b/cpu.cfs_quota_us": "-1",
        "cpu,cpuacct/a/b/cpu.cfs_period_us": "100000",
        "memory/memory.limit_in_bytes": "9223372036854771712",
        "memory/c/memory.limit_in_bytes": str(MIB),
    }
    mounts = [V1.format(mounted="/", name=name) for name in ("cpu,cpuacct", "memory")]
    root = system("4:memory:/c\n2:cpu,cpuacct:/a/b\n1:name=systemd:/x\n0::/x", mounts, files)
    assert processor_limit(root) == Limit(3, "/a")
    assert memory_limit(root) == Limit(MIB, "/c")


def test_a_container_of_version_1_that_sees_the_names_of_the_machine(system):
    files = {"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"}
    root = system("2:cpu:/docker/0123", [V1.format(mounted="/docker/0123", name="cpu")], files)
    assert processor_limit(root) == Limit(2, "/")


def test_both_versions_at_once(system):
    files = {"unified/a/cpu.max": "max 100000", "cpu/a/cpu.cfs_quota_us": "100000", "cpu/a/cpu.cfs_period_us": "100000"}
    unified = V2.format(mounted="/").replace("/sys/fs/cgroup ", "/sys/fs/cgroup/unified ")
    root = system("1:cpu:/a\n0::/a", [V1.format(mounted="/", name="cpu"), unified], files)
    assert processor_limit(root) == Limit(1, "/a")


@pytest.mark.parametrize("content", ["", "max", "a b", "1 0"])
def test_files_that_say_nothing(system, content):
    root = system("0::/", [V2.format(mounted="/")], {"cpu.max": content, "memory.max": "x"})
    assert processor_limit(root) == memory_limit(root) == Limit(math.inf)


def test_no_control_groups(tmp_path):
    assert processor_limit(tmp_path) == memory_limit(tmp_path) == Limit(math.inf)


def test_what_is_usable_is_the_least_of_all(system, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    root = system("0::/a", [V2.format(mounted="/")], {"a/cpu.max": "250000 100000", "a/memory.max": str(64 * MIB)})
    (root / "proc/meminfo").write_text("MemTotal:         131072 kB\nMemFree: 1 kB\n")
    assert usable_cpus(root) == 2
    assert usable_memory(root) == Limit(64 * MIB, "/a")
    (root / "sys/fs/cgroup/a/memory.max").write_text("max")
    assert usable_memory(root) == Limit(128 * MIB)


PROGRAM = """
import os, sys
from pathlib import Path
from inference.control_groups import processor_limit
Path(sys.argv[1], "cgroup.procs").write_text(str(os.getpid()))
print(processor_limit())
"""


@pytest.fixture
def real_group():
    """A new group with half a processor, and one inside it; where this user may make them."""
    own = dict(line.split(":")[1:] for line in Path("/proc/self/cgroup").read_text().splitlines())
    version_1 = Path("/sys/fs/cgroup/cpu")
    top = version_1 if version_1.is_dir() else Path("/sys/fs/cgroup")
    outer = top / own.get("cpu" if version_1.is_dir() else "", "/").lstrip("/") / f"asr-test-{os.getpid()}"
    inner = outer / "inner"
    try:
        inner.mkdir(parents=True)
        if version_1.is_dir():
            (outer / "cpu.cfs_quota_us").write_text("50000")
        else:
            (outer / "cpu.max").write_text("50000 100000")
        yield inner
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    finally:
        for group in (inner, outer):
            if group.is_dir():
                group.rmdir()


@pytest.mark.skipif(not Path("/proc/self/cgroup").exists(), reason="no control groups here")
def test_a_real_group(real_group):
    command = [sys.executable, "-c", PROGRAM, str(real_group)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert found.startswith("Limit(amount=0.5, group='")
    assert real_group.parent.name in found
    assert "inner" not in found
