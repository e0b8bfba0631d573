"""Processes that train together end together."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.training.needs import needs

pytestmark = [
    pytest.mark.training,
    needs("torch"),
]

# Shells start what runs in the background with SIGINT ignored.
PROGRAM = """
import signal, sys
from tests.training.test_team import hold
from training.network.team import launch
signal.signal(signal.SIGINT, signal.SIG_IGN)
launch(hold, sys.argv[1], 2)
"""


def hold(_team, folder):
    Path(folder, str(os.getpid())).touch()
    time.sleep(600)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_killed_training_leaves_no_process_behind(tmp_path):
    pids: list[int] = []
    training = subprocess.Popen([sys.executable, "-W", "ignore", "-c", PROGRAM, tmp_path], start_new_session=True)
    try:
        while len(pids := [int(path.name) for path in tmp_path.iterdir()]) < 2:
            assert training.poll() is None
            time.sleep(0.1)
        training.send_signal(signal.SIGKILL)
        training.wait()
        give_up = time.monotonic() + 20
        while any(map(alive, pids)) and time.monotonic() < give_up:
            time.sleep(0.1)
        assert not any(map(alive, pids))
    finally:
        if any(map(alive, pids)):
            os.killpg(training.pid, signal.SIGKILL)
