"""The unit for systemd: no fault that systemd finds, and folders, times and limits that fit the settings."""

import subprocess
import sys
from pathlib import Path

import pytest

from config.settings import Settings, variable_of

ROOT = Path(__file__).parents[2]
UNIT = (ROOT / "deploy" / "systemd" / "hindi-asr.service").read_text(encoding="utf-8")
PAIRS = [line.split("=", 1) for line in UNIT.splitlines() if "=" in line and not line.startswith("#")]
OPTIONS = dict(PAIRS)  # of one that is there several times, the last
ENVIRONMENT = dict(value.split("=", 1) for name, value in PAIRS if name == "Environment")
DEFAULT = {name: field.default for name, field in Settings.model_fields.items()}
MADE = {"StateDirectory": "/var/lib", "CacheDirectory": "/var/cache", "RuntimeDirectory": "/run"}


@pytest.fixture
def faults(tmp_path):
    """What systemd says of a unit; the server need not be where the unit has it."""

    def faults(unit):
        path = tmp_path / "hindi-asr.service"
        path.write_text(unit.replace("/opt/hindi-asr/.venv/bin/python", sys.executable), encoding="utf-8")
        command = ["systemd-analyze", "verify", "--man=no", path]
        checked = subprocess.run(command, capture_output=True, text=True, check=False)
        # It looks at what the unit wants, too, which is the machine's affair.
        return [line for line in checked.stderr.splitlines() if path.name in line]

    return faults


@pytest.mark.programs("systemd-analyze")
def test_systemd_finds_no_fault(faults):
    assert faults(UNIT) == []


@pytest.mark.programs("systemd-analyze")
@pytest.mark.parametrize(
    "wrong",
    [
        UNIT.replace("ProtectSystem=strict", "ProtectSystems=strict"),
        UNIT.replace("KillMode=mixed", "KillMode=master"),
        UNIT.replace("ExecStart=/", "ExecStart=/nowhere/"),
    ],
)
def test_faults_would_be_found(faults, wrong):
    assert faults(wrong) != []


def test_whatever_the_server_writes_has_a_folder_that_is_writable():
    writable = [f"{folder}/{OPTIONS[option]}" for option, folder in MADE.items()]
    assert OPTIONS["PrivateTmp"] == "yes"
    for name, path in ENVIRONMENT.items():
        if path.startswith("/"):
            assert path == "/var/tmp" or any(Path(path).is_relative_to(folder) for folder in writable), name
    in_build = {name for name, value in DEFAULT.items() if isinstance(value, Path) and "build" in value.parts}
    assert {variable_of(name) for name in in_build - {"profile"}} <= ENVIRONMENT.keys()  # which is only read
    assert {name for name in ENVIRONMENT if name.startswith("ASR_")} <= set(map(variable_of, DEFAULT))


def test_the_server_is_left_the_time_that_it_takes_to_end():
    balancers = 5  # ASR_DRAIN_SECONDS, as docs/availability.md has it
    assert int(OPTIONS["TimeoutStopSec"]) > balancers + int(ENVIRONMENT["ASR_GRACE_SECONDS"]) + 2
    assert int(ENVIRONMENT["ASR_GRACE_SECONDS"]) == DEFAULT["grace_seconds"]
    assert (OPTIONS["KillMode"], OPTIONS["ExecReload"]) == ("mixed", "/bin/kill -HUP $MAINPID")


def test_it_may_have_the_files_and_the_calls_that_it_needs():
    assert int(OPTIONS["LimitNOFILE"]) >= 2 * DEFAULT["max_connections"] + 256
    filters = [value.split() for name, value in PAIRS if name == "SystemCallFilter"]
    # By name, since lanes would run without them, shut in by less.
    assert {"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "seccomp"} <= set(filters[-1])
    # Tried with systemd 252: no lane starts with the one, and with the other the machine's memory is not known.
    assert {"MemoryDenyWriteExecute", "ProcSubset"}.isdisjoint(OPTIONS)
