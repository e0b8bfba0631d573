"""Processes that train together end together."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.training.needs import needs
from training.files import RecipeError

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


FAILING = """
from tests.training.test_team import refuse
from training.files import command
from training.network.team import launch
command(lambda: launch(refuse, None, 2))
"""


def refuse(team, _options):
    if team.rank == 1:
        raise RecipeError("no clip is short enough")
    time.sleep(600)


def test_what_a_process_cannot_do_is_told_in_one_line():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FAILING], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: no clip is short enough"
    assert "Traceback" not in done.stderr


def test_several_processes_do_not_share_a_gpu(monkeypatch):
    import torch

    from training.network.team import launch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(RecipeError, match="2 processes beside a GPU"):
        launch(refuse, None, 2)
